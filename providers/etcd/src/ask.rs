//! Asks every endpoint side by side.

use futures_util::future::{join, join_all};
use tune_core::reading::Unreadable;
use tune_core::schema::HostReference;
use tune_core::source::Reach;
use tune_core::text::visible;
use tune_source::http::Link;
use tune_source::{Scheme, Url, connection, host_name, of_connection, within};

use crate::attributes::{Asking, Over};
use crate::judge::{Found, Seen};
use crate::{client, metrics};

/// Returns what each endpoint says, in the order of the block: first those that are reached from here, then the hosts.
pub(crate) async fn everyone(asking: &Asking, reach: &dyn Reach) -> Vec<Seen> {
    let urls = join_all(asking.urls.iter().map(|url| from_here(asking, url)));
    let hosts = join_all(asking.hosts.iter().map(|host| on_host(asking, host, reach)));
    let (mut seen, on_hosts) = join(urls, hosts).await;
    seen.extend(on_hosts);
    seen
}

async fn from_here(asking: &Asking, url: &Url) -> Seen {
    let endpoint = url.to_string().trim_end_matches('/').to_owned();
    let tls = asking.tls.as_ref().filter(|_| url.scheme == Scheme::Https);
    let found = async {
        let mut link = within(asking.timeout, &format!("`{endpoint}`"), Link::open(&url.place, tls)).await?;
        questions(asking, &mut link, &format!("`{endpoint}`")).await
    };
    Seen { found: found.await, host: None, endpoint }
}

async fn on_host(asking: &Asking, host: &HostReference, reach: &dyn Reach) -> Seen {
    let name = host_name(reach, host).0;
    let scheme = if asking.scheme == Scheme::Https { "https" } else { "http" };
    let at = format!("etcd on `{}`", visible(&name, 200));
    let found = async {
        let open = async {
            let asked = connection(reach, host).await?;
            let door = asked.connection.door(&asking.on_host.to_string()).await.map_err(of_connection)?;
            let tls = asking.tls.as_ref().filter(|_| asking.scheme == Scheme::Https);
            let link = Link::through(&door.at, &asking.on_host, tls, at.clone()).await?;
            Ok((door, link))
        };
        // The door stays open until the last answer.
        let (_door, mut link) = within(asking.timeout, &at, open).await?;
        questions(asking, &mut link, &at).await
    };
    Seen { found: found.await, host: Some(name), endpoint: format!("{scheme}://{}", asking.on_host) }
}

async fn questions(asking: &Asking, link: &mut Link, at: &str) -> Result<Found, Unreadable> {
    match asking.over {
        Over::Client => client::ask(link, at, asking.timeout).await,
        Over::Metrics => metrics::ask(link, at, asking.timeout).await,
    }
}
