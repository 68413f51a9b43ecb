//! A load generator: thousands of connections from one thread, for `scripts/bench.sh` and by hand.
//!
//! It speaks muxftp's native protocol, and enough HTTP and FTP to put the same load on others. It checks that every
//! answer is whole and no error; it does not hash what it gets: its processor time would be taken from the server's.
//! One line of JSON on standard output is the result of a mode.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results and complaints go where a program's go"
)]

mod args;
mod conn;
mod language;
mod pool;
mod probe;
mod report;

use std::error::Error;
use std::io::{self, BufRead};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Mode};
use crate::pool::{Plan, Pool};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ftp-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    match args.mode {
        Mode::Idle => idle(args),
        Mode::Ping => probe::run(args),
        Mode::Connects | Mode::Requests | Mode::Transfers => {
            let mut pool = Pool::new(Plan::of(args)?)?;
            let report = pool.run()?;
            println!("{}", report.json());
            Ok(())
        }
    }
}

/// Opens connections and holds them until standard input ends; each line of it asks all of them once.
fn idle(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut pool = Pool::new(Plan::of(args)?)?;
    println!("{}", pool.run()?.json());
    for line in io::stdin().lock().lines() {
        line?;
        println!("{}", pool.ask_all()?.json());
    }
    Ok(())
}
