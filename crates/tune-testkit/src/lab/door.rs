//! The way in to a host by ssh: an address of the loopback on which this process listens, and a command per connection
//! that answers it inside the host. Knows nothing of what that command is.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Makes the command that answers one connection on its standard input and output; none while the host is off.
pub(super) type Answer = Arc<dyn Fn() -> Option<Command> + Send + Sync>;

/// The listener of one host. Closed, connections are refused, as by a machine on which no sshd runs.
pub(super) struct Door {
    address: SocketAddrV4,
    answer: Answer,
    open: Option<Open>,
    visits: Arc<Visits>,
}

struct Open {
    end: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Visits {
    accepted: AtomicUsize,
    /// When set, connections are accepted and never answered.
    silent: AtomicBool,
    streams: Mutex<Vec<Arc<TcpStream>>>,
}

impl Door {
    /// Opens a door at an address of the loopback that nobody else uses.
    pub(super) fn open_anywhere(answer: &Answer, random: impl Fn() -> io::Result<[u8; 3]>) -> io::Result<Door> {
        loop {
            // An address for each host, and not just a port: a port that a stopped host gave up could become another's.
            let [a, b, c] = random()?;
            let address = SocketAddrV4::new(Ipv4Addr::new(127, a, b, c.clamp(1, 254)), 2222);
            let mut door = Door { address, answer: Arc::clone(answer), open: None, visits: Arc::default() };
            match door.open() {
                Ok(()) => return Ok(door),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns how many connections were accepted since the host was made.
    pub(super) fn accepted(&self) -> usize {
        self.visits.accepted.load(Ordering::SeqCst)
    }

    /// Returns how many connections are open now.
    pub(super) fn connected(&self) -> usize {
        lock(&self.visits.streams).len()
    }

    pub(super) fn open(&mut self) -> io::Result<()> {
        self.visits.silent.store(false, Ordering::SeqCst);
        if self.open.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address)?;
        let end = Arc::new(AtomicBool::new(false));
        let (told, answer, visits) = (Arc::clone(&end), Arc::clone(&self.answer), Arc::clone(&self.visits));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    serve(stream, &answer, &visits);
                }
            }
        });
        self.open = Some(Open { end, thread });
        Ok(())
    }

    /// Refuses connections from now on; those that are open stay.
    pub(super) fn close(&mut self) {
        if let Some(Open { end, thread }) = self.open.take() {
            end.store(true, Ordering::SeqCst);
            // The listener notices when it is called once more.
            let _ = TcpStream::connect(self.address);
            let _ = thread.join();
        }
    }

    /// Accepts connections from now on without ever answering them.
    pub(super) fn silence(&mut self) -> io::Result<()> {
        self.open()?;
        self.visits.silent.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Breaks every open connection. What they started on the host goes on running.
    pub(super) fn cut(&self) {
        for stream in lock(&self.visits.streams).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
        self.cut();
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("address", &self.address)
            .field("open", &self.open.is_some())
            .finish_non_exhaustive()
    }
}

fn serve(stream: TcpStream, answer: &Answer, visits: &Arc<Visits>) {
    visits.accepted.fetch_add(1, Ordering::SeqCst);
    let stream = Arc::new(stream);
    lock(&visits.streams).push(Arc::clone(&stream));
    let (answer, visits) = (Arc::clone(answer), Arc::clone(visits));
    thread::spawn(move || {
        if visits.silent.load(Ordering::SeqCst) {
            // Returns when the caller gives up, or when the connection is cut.
            let _ = stream.peek(&mut [0]).and_then(|_| io::copy(&mut &*stream, &mut io::sink()));
        } else {
            let _ = answered(&stream, &answer);
        }
        let _ = stream.shutdown(Shutdown::Both);
        lock(&visits.streams).retain(|other| !Arc::ptr_eq(other, &stream));
    });
}

fn answered(stream: &TcpStream, answer: &Answer) -> io::Result<()> {
    let Some(mut command) = answer() else {
        return Ok(());
    };
    let (input, output) = (OwnedFd::from(stream.try_clone()?), OwnedFd::from(stream.try_clone()?));
    let mut child = command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(Stdio::null()).spawn()?;
    // The command holds copies of the stream, which end with it.
    drop(command);
    child.wait().map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
