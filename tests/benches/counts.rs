//! Runs one hot path so many times, for `scripts/counts.sh` to count its instructions beneath valgrind.
//!
//! Without arguments (as `cargo bench` starts it) it names the paths.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on fails, and says what it has"
)]

mod hot;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let mut paths = hot::paths();
    let [name, times] = words.as_slice() else {
        for (name, _) in paths {
            println!("{name}");
        }
        return;
    };
    let (_, run) = paths.iter_mut().find(|(known, _)| known == name).unwrap();
    for _ in 0..times.parse().unwrap() {
        run();
    }
}
