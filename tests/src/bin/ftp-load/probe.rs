//! One connection that asks one small thing at a time: what a person beside a great load feels.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::args::Args;
use crate::language::{self, Reader};
use crate::report::Report;

/// Pings until standard input ends, and prints the times.
///
/// # Errors
/// The connection failed, or an answer took longer than the time-out.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&args.addr, args.patience())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(args.patience()))?;
    let mut reader = Reader::new(args.language);
    let greeting = language::greeting(args.language, &args.path);
    let request = language::ask(args.language, &args.path);
    exchange(&mut stream, &mut reader, &greeting, &args.user)?;
    let mut report = Report::default();
    while !ended(Duration::from_millis(args.every))? {
        let began = Instant::now();
        exchange(&mut stream, &mut reader, &request, &args.user)?;
        report.times.push(began.elapsed());
    }
    println!("{}", report.json());
    Ok(())
}

/// Says something and waits for its answer.
fn exchange(
    stream: &mut TcpStream,
    reader: &mut Reader,
    words: &[u8],
    user: &str,
) -> Result<(), Box<dyn Error>> {
    let mut buffer = [0; 4096];
    stream.write_all(words)?;
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Err("the server closed".into());
        }
        let heard = reader.hear(buffer.get(..len).unwrap_or_default(), user)?;
        stream.write_all(&heard.reply)?;
        if heard.answers > 0 {
            return Ok(());
        }
    }
}

/// Waits this long for standard input to say anything or to end.
fn ended(wait: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    };
    Ok(poll(&mut fds, Some(&wait))? > 0)
}
