//! A far end that is no stub: whatever it sends, a call fails as broken and nothing else goes wrong.

use crate::alone::alone;
use crate::channel::PATIENCE;
use crate::forbid::forbid;
use crate::raw::{step, Raw};
use nearfar_linux::call::Call;
use nearfar_linux::calls::xattr::{self, File};
use nearfar_linux::calls::{affinity, caps, credentials, descriptor, eventfd, process};
use nearfar_linux::error::{Failure, Result};
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::task::channel::Channel;
use nearfar_linux::task::transfer;
use nearfar_linux::wire::{self, Header};
use nix::sys::socket::{recv, sendmsg, ControlMessage, MsgFlags};
use std::io::{IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

/// A message of a far end, with the descriptors that go along.
pub type Sent = (Vec<u8>, Vec<OwnedFd>);

/// Makes a channel whose far end gets each message and sends what `replies` makes of it.
pub fn far_end(replies: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Arc<Channel> {
    far_end_with(move |message| replies(message).into_iter().map(|bytes| (bytes, Vec::new())).collect())
}

/// The same, but descriptors go along with the messages.
pub fn far_end_with(replies: impl Fn(&[u8]) -> Vec<Sent> + Send + 'static) -> Arc<Channel> {
    let (channel, end) = Channel::pair().unwrap();
    std::thread::spawn(move || {
        let mut message = vec![0; wire::INLINE];
        while let Ok(length @ 1..) = recv(end.as_raw_fd(), &mut message, MsgFlags::empty()) {
            let replies = replies(&message[..length]);
            if replies.is_empty() {
                return; // the far end closes the channel
            }
            for (bytes, fds) in replies {
                let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
                let rights = [ControlMessage::ScmRights(&numbers)];
                let control = if fds.is_empty() { &[][..] } else { &rights };
                let sent =
                    sendmsg::<()>(end.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None);
                // The far end has sent its only copy: the close that counts happens where the message is received. With a
                // refused message it happens here, and has to happen elsewhere so that the far end goes on.
                if !fds.is_empty() {
                    std::thread::spawn(move || drop(fds));
                }
                if sent.is_err() {
                    return; // EPIPE: the channel has hung up. EPERM: it takes no descriptors.
                }
            }
        }
    });
    channel
}

/// Returns the honest reply to a message: every step has `result`, and the outputs are as they were.
pub fn reply_to(message: &[u8], result: i64) -> Raw {
    let mut raw = Raw::parse(message);
    raw.header.done = raw.header.steps;
    raw.steps.iter_mut().for_each(|step| step.result = result);
    raw.blob.truncate(raw.header.out as usize);
    raw.relocs.clear();
    raw
}

fn result_of<T>(call: Call<T>, result: i64) -> Result<T> {
    far_end(move |message| vec![reply_to(message, result).bytes()]).call(call)
}

#[track_caller]
fn is_broken<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Failure::Broken(_))), "{result:?}");
}

#[test]
fn a_result_beyond_what_was_asked_for_is_broken() {
    assert_eq!(result_of(descriptor::read(0, 10, None), 10).unwrap().len(), 10);
    for result in [11, i64::MAX, i64::MIN, -5000] {
        is_broken(result_of(descriptor::read(0, 10, None), result));
        is_broken(result_of(descriptor::read(0, 10, Some(0)), result));
        is_broken(result_of(descriptor::write(1, b"1234567890", None), result));
        is_broken(result_of(affinity::sched_getaffinity(0, 8), result));
        is_broken(result_of(credentials::getgroups(10), result));
        for file in [File::Fd(3), File::Path(b"/"), File::At(3, b"a", 0)] {
            is_broken(result_of(xattr::getxattr(file, b"security.capability", 10), result));
        }
    }
    for result in [1 << 31, i64::MAX, i64::MIN, -5000] {
        is_broken(result_of(descriptor::openat(libc::AT_FDCWD, b"/", 0, 0), result));
        is_broken(result_of(descriptor::dup(0, 3, true), result));
    }
    let pair = |message: &[u8]| {
        let mut raw = reply_to(message, 0);
        raw.blob[4..8].copy_from_slice(&(-1i32).to_ne_bytes());
        vec![raw.bytes()]
    };
    is_broken(far_end(pair).call(descriptor::pipe(0)));
}

#[test]
fn a_reply_of_another_length_is_broken() {
    fn check<T: std::fmt::Debug + 'static>(call: fn() -> Call<T>) {
        let mut sequence = Sequence::default();
        sequence.step(call());
        for length in (1..sequence.reply_length()).chain([sequence.reply_length() + 1]) {
            let cut = move |message: &[u8]| {
                let mut bytes = reply_to(message, 0).bytes();
                bytes.resize(length, 0);
                vec![bytes]
            };
            is_broken(far_end(cut).call(call()));
            is_broken(far_end(cut).run(&sequence, &[]));
        }
    }
    check(|| descriptor::statx(libc::AT_FDCWD, b"/", 0, 0));
    check(|| caps::capget(0));
    check(|| eventfd::read(0));
    check(|| process::waitid(libc::P_ALL, 0, libc::WEXITED));
    check(credentials::getresuid);
}

#[test]
fn a_reply_to_another_sequence_is_broken() {
    let spoils: [fn(&mut Raw); 7] = [
        |raw| raw.header.version -= 1,
        |raw| raw.header.done = 0,
        |raw| raw.header.done = 2,
        |raw| raw.header.done = u32::MAX,
        |raw| raw.header.steps = 2,
        |raw| raw.header.out += 8,
        |raw| raw.header.status = i32::MIN,
    ];
    for spoil in spoils {
        let reply = move |message: &[u8]| {
            let mut raw = reply_to(message, 0);
            spoil(&mut raw);
            vec![raw.bytes()]
        };
        is_broken(far_end(reply).call(caps::capget(0)));
        let mut sequence = Sequence::default();
        sequence.step(caps::capget(0));
        is_broken(far_end(reply).run(&sequence, &[]));
    }
}

#[test]
fn a_reply_with_another_serial_number_is_broken() {
    let long = || descriptor::read(0, 1 << 20, None);
    for wrong in [0u64, 2, u64::MAX] {
        let reply = move |message: &[u8]| {
            let mut raw = reply_to(message, 0);
            raw.header.serial = wrong;
            vec![raw.bytes()]
        };
        is_broken(far_end(reply).call(caps::capget(0)));
        is_broken(far_end(reply).call(long()));
    }
}

#[test]
fn a_surplus_reply_is_taken_for_no_later_one() {
    let twice = |message: &[u8]| vec![reply_to(message, 1).bytes(), reply_to(message, 2).bytes()];
    let channel = far_end(twice);
    assert_eq!(channel.call(credentials::getpid()), Ok(1));
    is_broken(channel.call(credentials::getpid()));
    let channel = far_end(twice);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..3 {
        let (mut sequence, sender) = (Sequence::default(), sender.clone());
        sequence.step(credentials::getpid());
        channel.submit(
            sequence,
            Vec::new(),
            Box::new(move |ran| sender.send(ran.map(|ran| ran.reply.result(0))).unwrap()),
        );
    }
    let next = || receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!(next(), Ok(Some(1)));
    is_broken(next());
    assert_eq!(next(), Err(Failure::Gone));
}

#[test]
fn a_sequence_ends_early_only_with_a_refusal() {
    let results = |results: [i64; 2], done: u32| {
        let mut sequence = Sequence::default();
        sequence.step(descriptor::close(7).go_on());
        sequence.step(descriptor::close(8));
        let mut raw = Raw::new(results.map(|result| wire::Step { result, ..step(0, &[]) }).to_vec(), vec![], vec![]);
        raw.header.done = done;
        let channel = far_end(move |message| {
            let header = Header { serial: Raw::parse(message).header.serial, ..raw.header };
            vec![Raw { header, ..raw.clone() }.bytes()]
        });
        channel.run(&sequence, &[]).map(|(reply, _)| [0, 1].map(|step| reply.result(step)))
    };
    assert_eq!(results([-9, 0], 2), Ok([Some(-9), Some(0)]));
    assert_eq!(results([0, -9], 2), Ok([Some(0), Some(-9)]));
    is_broken(results([0, 0], 1));
    is_broken(results([-9, 0], 1));
    is_broken(results([0, -5000], 2));
}

#[test]
fn a_notice_that_no_program_follows_is_broken() {
    let notices = |message: &[u8]| vec![vec![0; wire::NOTICE], reply_to(message, 0).bytes()];
    is_broken(far_end(notices).call(caps::capget(0)));
}

#[test]
fn a_long_reply_that_is_no_header_is_broken() {
    let long = || descriptor::read(0, 1 << 20, None);
    for length in [1, size_of::<Header>() - 1, size_of::<Header>() + 1, 4096] {
        let cut = move |message: &[u8]| {
            let mut bytes = message.to_vec();
            bytes.resize(length, 0);
            vec![bytes]
        };
        is_broken(far_end(cut).call(long()));
    }
    let refused = |message: &[u8]| {
        let mut raw = Raw::parse(message);
        raw.header.status = -libc::ENOMEM;
        vec![raw.bytes()]
    };
    let Err(Failure::Refused(refusal)) = far_end(refused).call(long()) else { panic!("not refused") };
    assert_eq!(refusal.errno, nix::errno::Errno::ENOMEM);
}

#[test]
fn a_broken_channel_sends_nothing_any_more() {
    let channel = far_end(|message| vec![message[..8].to_vec()]);
    is_broken(channel.call(credentials::getpid()));
    assert!(channel.is_hung_up());
    assert_eq!(channel.call(credentials::getpid()), Err(Failure::Gone));
}

/// Returns a socket whose close(2) blocks for five seconds, and its peer.
fn lingering() -> (TcpListener, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    while socket.write(&[0; 1 << 16]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    let linger = libc::linger { l_onoff: 1, l_linger: 5 };
    let (address, length) = ((&raw const linger).cast(), size_of_val(&linger) as libc::socklen_t);
    // SAFETY: the kernel reads the struct at this address during the call.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, address, length) };
    assert_eq!(set, 0);
    (listener, socket.into())
}

/// Calls `run` with a far end that sends so many lingering sockets with each reply, and asserts that nothing blocks.
fn with_sockets(count: usize, run: impl FnOnce(Arc<Channel>)) {
    let (peers, sockets): (Vec<_>, Vec<_>) = (0..count).map(|_| lingering()).unzip();
    let sockets = std::sync::Mutex::new(sockets);
    let channel = far_end_with(move |message| {
        vec![(reply_to(message, 0).bytes(), std::mem::take(&mut *sockets.lock().unwrap()))]
    });
    let begun = Instant::now();
    run(channel);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop(peers);
}

#[test]
fn a_descriptor_that_was_not_asked_for_blocks_nothing() {
    // Where the kernel has SO_PASSRIGHTS, the far end cannot even send its reply.
    with_sockets(1, |channel| {
        let (sender, receiver) = mpsc::channel();
        let mut sequence = Sequence::default();
        sequence.step(credentials::getpid());
        channel.submit(sequence, Vec::new(), Box::new(move |ran| sender.send(ran.map(drop)).unwrap()));
        assert!(receiver.recv_timeout(PATIENCE).unwrap().is_err());
    });
}

#[test]
fn a_surplus_descriptor_is_broken_and_blocks_nothing() {
    with_sockets(2, |channel| is_broken(transfer::get(&channel, 7)));
    with_sockets(200, |channel| is_broken(transfer::get(&channel, 7)));
    with_sockets(0, |channel| is_broken(transfer::get(&channel, 7)));
}

#[test]
fn a_descriptor_that_was_never_received_blocks_nothing() {
    let (channel, end) = Channel::pair().unwrap();
    let (_peer, socket) = lingering();
    let numbers = [socket.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&numbers)];
    let sent = sendmsg::<()>(end.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::MSG_NOSIGNAL, None);
    if sent.is_err() {
        std::mem::forget(socket); // the kernel has SO_PASSRIGHTS, and closing the socket here would block
        return;
    }
    drop(socket);
    let begun = Instant::now();
    drop(channel);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn before_linux_6_16_a_descriptor_arrives_and_blocks_nothing_either() {
    alone("hostile::before_linux_6_16_a_descriptor_arrives_and_blocks_nothing_either", || {
        // The kernel does not know SO_PASSRIGHTS.
        let option = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 32 };
        let is_passrights = libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 83 };
        forbid(libc::SYS_setsockopt, libc::ENOPROTOOPT, &[option, is_passrights]);
        let (_channel, end) = Channel::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let numbers = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&numbers)];
        sendmsg::<()>(end.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::MSG_NOSIGNAL, None).unwrap();
        a_descriptor_that_was_not_asked_for_blocks_nothing();
        a_surplus_descriptor_is_broken_and_blocks_nothing();
        a_descriptor_that_was_never_received_blocks_nothing();
    });
}
