//! `ping`: round trips over one connection, told as ping(8) does.

use std::time::Duration;

use super::Scene;
use super::args::Ping;
use super::exit::Exit;
use super::json::Line;
use crate::error::Result;
use crate::text;

/// Bytes sent to and fro.
const PAYLOAD: [u8; 56] = *b"muxftp ping muxftp ping muxftp ping muxftp ping muxftp p";

pub(super) fn run(scene: &Scene, args: &Ping) -> Result<Exit> {
    let mut client = scene.connect()?;
    let hello = client.hello()?;
    let server = &scene.config.options.server;
    scene.out.note(&format!(
        "{server}: {}",
        text::escape(&hello.server.chars().take(200).collect::<String>())
    ));
    let payload = PAYLOAD.get(..PAYLOAD.len().min(hello.ping)).unwrap_or(&[]);
    let mut times = Vec::new();
    for seq in 1..=args.count {
        if seq > 1 {
            scene.cancel.sleep(Duration::from_secs_f64(args.interval))?;
        }
        let ms = client.ping(payload)?.as_secs_f64() * 1000.0;
        scene.out.json(&Line::Ping { seq, ms })?;
        let bytes = payload.len();
        scene.out.line(&format!(
            "{bytes} bytes from {server}: seq={seq} time={ms:.3} ms"
        ))?;
        scene.out.flush()?;
        times.push(ms);
    }
    if let Some(line) = statistics(&times) {
        scene.out.line(&line)?;
    }
    Ok(Exit::Ok)
}

fn statistics(times: &[f64]) -> Option<String> {
    let least = times.iter().copied().reduce(f64::min)?;
    let most = times.iter().copied().reduce(f64::max)?;
    #[allow(clippy::cast_precision_loss, reason = "a count of pings")]
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Some(format!(
        "rtt min/avg/max = {least:.3}/{mean:.3}/{most:.3} ms"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_none_and_some() {
        assert_eq!(statistics(&[]), None);
        assert_eq!(
            statistics(&[1.0, 3.0, 2.0]).unwrap(),
            "rtt min/avg/max = 1.000/2.000/3.000 ms"
        );
    }
}
