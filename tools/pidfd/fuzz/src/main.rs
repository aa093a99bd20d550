// SPDX-License-Identifier: GPL-2.0

//! Makes system calls on pidfds, guided by the code that they cover in the kernel (KCOV).
//!
//! Meant for a guest that may be lost: it is root, and makes processes crash.

mod calls;
mod child;
mod input;
mod mutation;
mod run;
mod shared;
mod sys;

use input::SIZE;
use libafl::{
    Error, Evaluator, Fuzzer, StdFuzzer,
    corpus::{Corpus, CorpusId, InMemoryCorpus},
    events::NopEventManager,
    executors::{Executor, ExitKind, HasObservers},
    feedback_and_fast, feedback_not,
    feedbacks::{CrashFeedback, MaxMapFeedback, TimeoutFeedback},
    inputs::{BytesInput, HasMutatorBytes},
    observers::StdMapObserver,
    schedulers::QueueScheduler,
    stages::StdMutationalStage,
    state::{HasCorpus, HasExecutions, HasSolutions, StdState},
};
use libafl_bolts::{
    nonzero,
    rands::StdRand,
    tuples::{RefIndexable, tuple_list},
};
use run::Runner;
use std::{
    collections::HashSet,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

const USAGE: &str = "usage: pidfd-fuzz --dir DIR [--corpus DIR] [--time SECONDS] [--seed NUMBER] \
                     [--module FILE]
       pidfd-fuzz [--module FILE] --replay FILE...
       pidfd-fuzz --minimise DIR FILE...";

/// The number of distinct pairs of places.
const MAP: usize = 1 << 16;

/// Inputs that are kept for the time after a crash.
const RECENT: u64 = 8;

type Map<'a> = StdMapObserver<'a, u8, false>;

/// For LibAFL.
struct InputExecutor<'a> {
    runner: Runner,
    /// Where the input is written before it runs.
    recent: Vec<File>,
    observers: (Map<'a>, ()),
    complaint: Option<String>,
}

impl<EM, S: HasExecutions, Z> Executor<EM, BytesInput, S, Z> for InputExecutor<'_> {
    fn run_target(
        &mut self,
        _fuzzer: &mut Z,
        state: &mut S,
        _mgr: &mut EM,
        input: &BytesInput,
    ) -> Result<ExitKind, Error> {
        let n = *state.executions();

        *state.executions_mut() += 1;
        let recent = &self.recent[(n % RECENT) as usize];
        recent.set_len(input.mutator_bytes().len() as u64)?;
        recent.write_all_at(input.mutator_bytes(), 0)?;
        let outcome = self.runner.run(input.mutator_bytes(), false);
        self.runner.fold(&mut self.observers.0);
        Ok(if outcome.complaint.is_some() {
            self.complaint = outcome.complaint;
            ExitKind::Crash
        } else if outcome.timeout {
            ExitKind::Timeout
        } else {
            ExitKind::Ok
        })
    }
}

impl<'a> HasObservers for InputExecutor<'a> {
    type Observers = (Map<'a>, ());

    fn observers(&self) -> RefIndexable<&Self::Observers, Self::Observers> {
        RefIndexable::from(&self.observers)
    }

    fn observers_mut(&mut self) -> RefIndexable<&mut Self::Observers, Self::Observers> {
        RefIndexable::from(&mut self.observers)
    }
}

struct Options {
    dir: PathBuf,
    corpus: Option<PathBuf>,
    time: Duration,
    seed: u64,
    module: Option<PathBuf>,
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();

    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn name(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();

    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn fuzz(options: &Options) -> Result<bool, String> {
    let finds = options.dir.join("corpus");
    for dir in [&finds, &options.dir.join("recent")] {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    let recent = (0..RECENT)
        .map(|n| File::create(options.dir.join(format!("recent/{n}"))))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let mut map = vec![0; MAP];
    // SAFETY: The map outlives the observer.
    let observer = unsafe { StdMapObserver::from_mut_ptr("places", map.as_mut_ptr(), MAP) };
    let known = MaxMapFeedback::new(&observer);
    let mut feedback = feedback_and_fast!(feedback_not!(TimeoutFeedback::new()), known);
    let mut objective = CrashFeedback::new();
    let mut state = StdState::new(
        StdRand::with_seed(options.seed),
        InMemoryCorpus::new(),
        InMemoryCorpus::new(),
        &mut feedback,
        &mut objective,
    )
    .map_err(|e| e.to_string())?;
    let mut fuzzer = StdFuzzer::new(QueueScheduler::new(), feedback, objective);
    let mut manager = NopEventManager::new();
    let mut executor = InputExecutor {
        runner: Runner::new(true, options.module.as_deref())?,
        recent,
        observers: tuple_list!(observer),
        complaint: None,
    };
    let mutator = mutation::mutator();
    let mut stages = tuple_list!(StdMutationalStage::with_max_iterations(
        mutator,
        nonzero!(16)
    ));

    let mut seeds = Vec::new();
    if let Some(dir) = &options.corpus {
        for path in files_in(dir)? {
            seeds.push(read(&path)?);
        }
    }
    // An input that does almost nothing, so that the corpus is not empty.
    seeds.push(vec![0; SIZE]);
    let start = Instant::now();
    let mut said = start;
    println!(
        "pidfd-fuzz: seed {}, {} inputs to start with",
        options.seed,
        seeds.len()
    );

    let mut saved = 0;
    loop {
        match seeds.pop() {
            Some(seed) => {
                let input = BytesInput::new(seed);
                fuzzer
                    .evaluate_input(&mut state, &mut executor, &mut manager, &input)
                    .map_err(|e| e.to_string())?;
            }
            None => {
                fuzzer
                    .fuzz_one(&mut stages, &mut executor, &mut state, &mut manager)
                    .map_err(|e| e.to_string())?;
            }
        }
        while saved < state.corpus().count() {
            let id: CorpusId = state.corpus().nth(saved);
            let input = state
                .corpus()
                .cloned_input_for_id(id)
                .map_err(|e| e.to_string())?;
            let bytes = input.mutator_bytes();
            run::write(&finds.join(name(bytes)), bytes);
            saved += 1;
        }
        let over = start.elapsed() >= options.time || state.solutions().count() > 0;
        if over || said.elapsed() >= Duration::from_secs(10) {
            said = Instant::now();
            let (seconds, execs) = (start.elapsed().as_secs_f64(), *state.executions());
            println!(
                "pidfd-fuzz: {seconds:.0} s, {execs} inputs run, {:.1} a second, {} in the corpus, \
                 {} places covered",
                execs as f64 / seconds,
                state.corpus().count(),
                executor.runner.covered.len()
            );
        }
        if over {
            break;
        }
    }

    let Some(complaint) = executor.complaint else {
        return Ok(true);
    };
    let id = state.solutions().first().ok_or("no input is to blame")?;
    let input = state
        .solutions()
        .cloned_input_for_id(id)
        .map_err(|e| e.to_string())?;
    let file = options
        .dir
        .join(format!("wrong-{}", name(input.mutator_bytes())));
    run::write(&file, input.mutator_bytes());
    println!(
        "pidfd-fuzz: {complaint}\npidfd-fuzz: the input is {}",
        file.display()
    );
    Ok(false)
}

fn replay(module: Option<&Path>, files: &[PathBuf]) -> Result<bool, String> {
    let mut runner = Runner::new(false, module)?;
    let mut fine = true;

    for path in files {
        println!("{}:", path.display());
        let outcome = runner.run(&read(path)?, true);
        if outcome.timeout {
            println!("  did not end in time");
        }
        if let Some(complaint) = outcome.complaint {
            println!("  WRONG: {complaint}");
            fine = false;
        }
    }
    Ok(fine)
}

/// Copies as few inputs as cover the same, and as few calls of them.
fn minimise(dir: &Path, files: &[PathBuf]) -> Result<bool, String> {
    let mut runner = Runner::new(true, None)?;
    let mut inputs = Vec::new();
    let mut covered = HashSet::new();
    let mut kept = 0;

    for path in files {
        let input = read(path)?;
        runner.run(&input, false);
        inputs.push((input, runner.places()));
    }
    loop {
        let new = |places: &HashSet<u64>| places.difference(&covered).count();
        let best = inputs
            .iter()
            .max_by_key(|(input, places)| (new(places), usize::MAX - input.len()));
        let Some((input, places)) = best.filter(|(_, places)| new(places) > 0) else {
            break;
        };
        let needed: HashSet<u64> = places.difference(&covered).copied().collect();
        let mut input = input.clone();

        input.truncate(input.len() / SIZE * SIZE);
        for at in (0..input.len()).step_by(SIZE).rev() {
            let mut shorter = input.clone();
            shorter.drain(at..at + SIZE);
            runner.run(&shorter, false);
            if needed.is_subset(&runner.places()) {
                input = shorter;
            }
        }
        covered.extend(needed);
        run::write(&dir.join(name(&input)), &input);
        kept += 1;
    }
    println!(
        "pidfd-fuzz: kept {kept} of {} inputs, which cover {} places",
        inputs.len(),
        covered.len()
    );
    Ok(true)
}

fn options(args: &[String]) -> Option<Options> {
    let mut options = Options {
        dir: PathBuf::new(),
        corpus: None,
        time: Duration::from_secs(600),
        seed: std::time::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_secs()),
        module: None,
    };

    for pair in args.chunks(2) {
        let [option, value] = pair else { return None };
        match option.as_str() {
            "--dir" => options.dir = value.into(),
            "--corpus" => options.corpus = Some(value.into()),
            "--time" => options.time = Duration::from_secs(value.parse().ok()?),
            "--seed" => options.seed = value.parse().ok()?,
            "--module" => options.module = Some(value.into()),
            _ => return None,
        }
    }
    (!options.dir.as_os_str().is_empty()).then_some(options)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let files = |from: usize| args[from..].iter().map(PathBuf::from).collect::<Vec<_>>();
    let result = match args.first().map(String::as_str) {
        Some("--replay") if args.len() > 1 => replay(None, &files(1)),
        Some("--module") if args.len() > 3 && args[2] == "--replay" => {
            replay(Some(Path::new(&args[1])), &files(3))
        }
        Some("--minimise") if args.len() > 2 => minimise(Path::new(&args[1]), &files(2)),
        _ => match options(&args) {
            Some(options) => fuzz(&options),
            None => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        },
    };

    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("pidfd-fuzz: {why}");
            ExitCode::from(2)
        }
    }
}
