// SPDX-License-Identifier: GPL-2.0

//! tokio knows nothing of this project, and gets its pidfds from Rust in the kernel.
//!
//! tokio waits for each child with a pidfd where the kernel has them. TAP goes to standard output.

use std::fs;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

const COUNTERS: &str = "/sys/kernel/debug/rust_pidfd/";

/// How long a test may take. Emulated machines are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Children that run at the same time.
const MANY: u8 = 48;

const SIGKILL: i32 = 9;

/// What is wrong, in words.
type Outcome = Result<(), String>;

type Test = fn() -> Pin<Box<dyn Future<Output = Outcome>>>;

fn counter(name: &str) -> Result<i64, String> {
    let path = format!("{COUNTERS}{name}");
    let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    text.trim_end().parse().map_err(|e| format!("{path}: {e}"))
}

fn expect(condition: bool, message: impl Into<String>) -> Outcome {
    if condition {
        Ok(())
    } else {
        Err(message.into())
    }
}

fn spawn(command: &str) -> Result<Child, String> {
    Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("cannot start sh: {e}"))
}

/// Runs `test` and checks that it made tokio open at least `least` pidfds, and close all again.
async fn counted(least: i64, test: impl Future<Output = Outcome>) -> Outcome {
    let created = counter("created")?;
    let open = counter("open")?;
    test.await?;
    let made = counter("created")? - created;
    expect(made >= least, format!("{made} pidfds for {least} children"))?;
    let left = counter("open")? - open;
    expect(left == 0, format!("{left} pidfds left open"))
}

async fn one_child_is_awaited() -> Outcome {
    counted(1, async {
        let status = spawn("exit 42")?.wait().await.map_err(|e| e.to_string())?;
        expect(status.code() == Some(42), format!("{status}"))
    })
    .await
}

async fn a_waiting_task_sees_the_exit() -> Outcome {
    counted(1, async {
        let mut child = spawn("cat")?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        let mut stdout = child.stdout.take().ok_or("no stdout")?;

        // Alive: waiting does not end before it does.
        stdin.write_all(b"x").await.map_err(|e| e.to_string())?;
        let mut byte = [0];
        stdout
            .read_exact(&mut byte)
            .await
            .map_err(|e| e.to_string())?;
        let waits = timeout(Duration::from_millis(50), child.wait())
            .await
            .is_err();
        expect(waits, "it was said to have ended")?;

        drop(stdin);
        let status = child.wait().await.map_err(|e| e.to_string())?;
        expect(status.success(), format!("{status}"))
    })
    .await
}

async fn a_killed_child_is_awaited() -> Outcome {
    counted(1, async {
        let mut child = spawn("exec cat")?;
        child.kill().await.map_err(|e| e.to_string())?;
        let status = child.wait().await.map_err(|e| e.to_string())?;
        expect(status.signal() == Some(SIGKILL), format!("{status}"))
    })
    .await
}

/// Each in a task of its own; every third one would last for ever and is killed.
async fn many_children_are_awaited() -> Outcome {
    counted(i64::from(MANY), async {
        let mut tasks = JoinSet::new();
        for i in 0..MANY {
            tasks.spawn(async move {
                if i % 3 == 0 {
                    let mut child = spawn("exec cat")?;
                    child.start_kill().map_err(|e| e.to_string())?;
                    let status = child.wait().await.map_err(|e| e.to_string())?;
                    return expect(status.signal() == Some(SIGKILL), format!("{i}: {status}"));
                }
                let status = spawn(&format!("exit {i}"))?
                    .wait()
                    .await
                    .map_err(|e| e.to_string())?;
                expect(status.code() == Some(i.into()), format!("{i}: {status}"))
            });
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.map_err(|e| e.to_string())??;
        }
        Ok(())
    })
    .await
}

const TESTS: [(&str, Test); 4] = [
    ("one_child_is_awaited", || Box::pin(one_child_is_awaited())),
    ("a_waiting_task_sees_the_exit", || {
        Box::pin(a_waiting_task_sees_the_exit())
    }),
    ("a_killed_child_is_awaited", || {
        Box::pin(a_killed_child_is_awaited())
    }),
    ("many_children_are_awaited", || {
        Box::pin(many_children_are_awaited())
    }),
];

/// A runtime for each test, so that none finds what another has left.
fn run(test: Test) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime: {e}"))?;
    runtime
        .block_on(async { timeout(PATIENCE, test()).await })
        .unwrap_or_else(|_| Err("it took too long".into()))
}

fn main() -> ExitCode {
    println!("TAP version 13");

    // Whoever mounted it already has spared us the work.
    if counter("created").is_err() {
        let _ = std::process::Command::new("mount")
            .args(["-t", "debugfs", "debugfs", "/sys/kernel/debug"])
            .stderr(Stdio::null())
            .status();
    }
    if counter("created").is_err() {
        println!("Bail out! rust_pidfd is not loaded: no {COUNTERS}created");
        return ExitCode::FAILURE;
    }

    println!("1..{}", TESTS.len());
    let mut failed = 0;
    for (i, (name, test)) in TESTS.iter().enumerate() {
        match run(*test) {
            Ok(()) => println!("ok {} {name}", i + 1),
            Err(message) => {
                println!("# {name}: {message}");
                println!("not ok {} {name}", i + 1);
                failed += 1;
            }
        }
    }

    println!(
        "# Totals: pass:{} fail:{failed} xfail:0 xpass:0 skip:0 error:0",
        TESTS.len() - failed
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
