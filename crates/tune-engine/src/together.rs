//! Futures side by side, a bounded number at a time, in one task: what they borrow may be shared without a lock that
//! is held while waiting.

use std::future::poll_fn;
use std::task::Poll;

use tune_core::contract::Pending;

/// Runs the futures, at most `limit` at a time, and returns what they gave, in their order.
pub(crate) async fn side_by_side<'a, T>(limit: usize, futures: Vec<Pending<'a, T>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<(usize, Pending<'a, T>)> = Vec::new();
    poll_fn(|context| {
        loop {
            running.extend(waiting.by_ref().take(limit.max(1).saturating_sub(running.len())));
            let begun = running.len();
            running.retain_mut(|(index, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    outputs[*index] = Some(output);
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && waiting.len() == 0 {
                return Poll::Ready(());
            }
            if running.len() == begun || waiting.len() == 0 {
                return Poll::Pending;
            }
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_order_and_the_bound() {
        let (running, most) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let futures = (0..20_u64).map(|number| -> Pending<'_, u64> {
            Box::pin(async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100 - number)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                number
            })
        });
        assert_eq!(side_by_side(3, futures.collect()).await, (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::Relaxed), 3);
        assert_eq!(side_by_side::<()>(3, Vec::new()).await, []);
    }
}
