//! The zygote: the stub that clones all other tasks. No task ever copies this process's memory.

mod exec_stub;
mod kinship;

use self::exec_stub::exec_stub;
use self::kinship::Kinship;
use crate::error::Result;
use crate::task::ambient::Ambient;
use crate::task::channel::Channel;
use crate::task::spawner::Spawner;
use crate::task::stub;
use crate::wait::child::{Child, Relations, TaskChannel};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, Weak};

/// A zygote, and the state of this process that its tasks inherit.
#[derive(Debug)]
pub struct Zygote {
    /// The channel to the zygote, for sequences that clone.
    pub channel: Arc<Channel>,
    /// The thread that is the parent of the zygote.
    pub spawner: Arc<Spawner>,
    /// The pid of the zygote.
    pub pid: i32,
    ambient: Ambient,
    kinship: Kinship,
}

static PRESENT: Mutex<Option<Arc<Zygote>>> = Mutex::new(None);

impl Zygote {
    /// Returns a zygote whose tasks inherit what a child of the calling thread would inherit now: the present zygote if
    /// it still matches, else a new one.
    pub fn matching() -> Result<Arc<Zygote>> {
        let ambient = Ambient::now()?;
        let mut present = PRESENT.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(zygote) = present.as_ref() {
            if zygote.ambient == ambient && zygote.kinship == Kinship::now(zygote.pid)? && zygote.can_clone() {
                return Ok(zygote.clone());
            }
        }
        let zygote = Arc::new(start(ambient)?);
        let former = present.replace(zygote.clone());
        drop(present);
        drop(former); // closes its channel, and so ends the former zygote when it has replied to its last clone
        Ok(zygote)
    }

    /// Returns whether the zygote lives and replies. A zygote that was stopped is continued.
    fn can_clone(&self) -> bool {
        self.channel.continue_if_stopped();
        !self.channel.is_hung_up() && !self.channel.is_late()
    }
}

/// Returns the pid of the present zygote; 0 where no zygote was started yet.
pub fn present_pid() -> i32 {
    PRESENT.lock().unwrap_or_else(|broken| broken.into_inner()).as_ref().map_or(0, |zygote| zygote.pid)
}

fn start(ambient: Ambient) -> Result<Zygote> {
    let (channel, end) = Channel::pair()?;
    let stub = stub::open()?.as_raw_fd();
    let file = stub::file();
    let (spawner, (pid, pidfd)) = Spawner::start(move || exec_stub(stub, file, end.as_raw_fd()))?;
    let spawner = Arc::new(spawner);
    let relations = Relations {
        channel: Some(Arc::downgrade(&channel) as Weak<dyn TaskChannel>),
        parent: None,
        keep_alive: Some(spawner.clone()),
    };
    channel.set_process(&Child::new(pid, pidfd, relations, Box::new(|_| {}))?);
    Ok(Zygote { channel, spawner, pid, kinship: Kinship::now(pid)?, ambient })
}
