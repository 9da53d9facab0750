//! Tasks that end with their cloner, although the cloner is not their parent.

use super::Channel;
use nix::sys::socket::Shutdown;
use std::sync::{Arc, Weak};

/// The channels to the tasks that end when the channel to their cloner is closed.
#[derive(Debug, Default)]
pub(super) struct Followers(Vec<Weak<Channel>>);

impl Channel {
    /// Has the task end with its cloner. A zygote leaves when this process has given up privileges, and its tasks still have
    /// them.
    pub fn end_with_cloner(self: &Arc<Self>) {
        let cloner = self.lock().cloner.upgrade();
        match cloner {
            Some(cloner) => {
                let Followers(channels) = &mut cloner.lock().followers;
                channels.retain(|channel| channel.strong_count() > 0);
                channels.push(Arc::downgrade(self));
            }
            None => self.end_after_reply(),
        }
    }

    /// Sends no further sequence. The task ends when it has replied to the one that it has.
    fn end_after_reply(&self) {
        self.lock().gone = true;
        self.shut_down(Shutdown::Write);
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        let alive = self.0.iter().filter_map(Weak::upgrade);
        alive.for_each(|channel| channel.end_after_reply());
    }
}
