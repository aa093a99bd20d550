// SPDX-License-Identifier: GPL-2.0

//! Runs one input in new processes, and reports its coverage and errors.

use crate::{
    calls::{ARENA, Exec, OPS, PAGE},
    child::PROGRAM,
    input,
    shared::{
        KCOV, KCOV_ENABLE, KCOV_FD, KCOV_TRACE_PC, KCOV_WORDS, KO_FD, KcovArea, MOST_FDS,
        OUTSIDER_FD, PROGRAM_FD, Shared, last_error, map, place,
    },
    sys,
};
use libc::*;
use std::{
    collections::HashSet,
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    ptr,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// The stack of the process that makes the calls.
const STACK: usize = 256 << 10;

/// How long an input may take. Emulated machines are slow.
const LIMIT: Duration = Duration::from_secs(10);

/// The time in which killed processes have to exit and release their files.
const PATIENCE: Duration = Duration::from_secs(60);

const COUNTER: &str = "/sys/kernel/debug/rust_pidfd/open";
/// Strings that the messages of a healthy kernel do not contain.
const COMPLAINTS: [&str; 9] = [
    "BUG:",
    "WARNING:",
    "INFO: ",
    "KASAN:",
    "UBSAN:",
    "Oops",
    "refcount_t:",
    "kernel BUG",
    "panicked at",
];

/// How an input ended.
pub struct Outcome {
    pub timeout: bool,
    pub complaint: Option<String>,
}

pub struct Runner {
    arena: usize,
    stack: usize,
    shared: &'static Shared,
    kcov: Option<KcovArea>,
    kmsg: Option<File>,
    module: bool,
    /// Pidfds that are open when no input runs.
    open: Option<i64>,
    /// The places covered so far, and a cache of them.
    pub covered: HashSet<u64>,
    cache: Vec<u64>,
}

/// The arguments of the first process of a pid namespace.
struct First {
    run: extern "C" fn(*const First) -> !,
    input: *const u8,
    len: usize,
    runner: *const Runner,
    loud: bool,
}

/// The first process of a pid namespace. It shares the memory of its parent, which makes it cheap;
/// the second has a copy.
extern "C" fn run_first(what: *const First) -> ! {
    // SAFETY: The parent keeps it until this process has exited.
    let run = unsafe { (*what).run };
    let prctl = [PR_SET_PDEATHSIG as usize, SIGKILL as usize, 0, 0, 0, 0];

    sys::call(SYS_prctl, prctl);
    sys::call(SYS_setsid, [0; 6]);
    let second = sys::clone(SYS_clone, [SIGCHLD as usize, 0, 0, 0, 0], run, what);
    // It may stop itself.
    sys::call(SYS_wait4, [second as usize, 0, WUNTRACED as usize, 0, 0, 0]);
    sys::exit(SYS_exit_group, 0)
}

impl Runner {
    /// With `module`, inputs may load and unload that file.
    pub fn new(need_kcov: bool, module: Option<&Path>) -> Result<Self, String> {
        if !Path::new(KCOV).exists() && !Path::new(COUNTER).exists() {
            let fs = c"debugfs".as_ptr();
            // SAFETY: These are strings.
            unsafe { mount(fs, c"/sys/kernel/debug".as_ptr(), fs, 0, ptr::null()) };
        }
        let kcov = match KcovArea::open() {
            Err(why) if need_kcov => return Err(why),
            kcov => kcov.ok(),
        };
        // SAFETY: The mappings are new ones, below 4 GiB; zeroes are a `Shared`.
        let (arena, stack, shared) = unsafe {
            let private = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
            let arena = map(ARENA, private | MAP_32BIT, -1)?;
            let shared = map(size_of::<Shared>(), MAP_SHARED | MAP_ANONYMOUS, -1)?;
            mprotect(arena.add(2 * PAGE), PAGE, PROT_READ);
            mprotect(arena.add(3 * PAGE), PAGE, PROT_NONE);
            let stack = map(STACK, private, -1)?;
            (arena as usize, stack as usize, &*shared.cast::<Shared>())
        };
        let mut runner = Runner {
            arena,
            stack,
            shared,
            kcov,
            kmsg: None,
            module: module.is_some(),
            open: None,
            covered: HashSet::new(),
            cache: vec![0; 1 << 13],
        };
        runner.prepare(module)?;
        Ok(runner)
    }

    fn prepare(&mut self, module: Option<&Path>) -> Result<(), String> {
        // SAFETY: The name is a string.
        let program = unsafe { memfd_create(c"program".as_ptr(), MFD_EXEC) };
        if program < 0 {
            return Err(last_error("memfd_create"));
        }
        fs::write(format!("/proc/self/fd/{program}"), PROGRAM).map_err(|e| e.to_string())?;
        let path = format!("/proc/self/fd/{program}");
        place(File::open(path).map_err(|e| e.to_string())?, PROGRAM_FD)?;
        // SAFETY: It belongs to this runner.
        unsafe { close(program) };

        // Core dumps go to a program that gets a pidfd.
        let core = "/run/pidfd-fuzz-core";
        fs::write(core, PROGRAM).map_err(|e| format!("{core}: {e}"))?;
        let name = CString::new(core).unwrap();
        // SAFETY: The name is a string.
        unsafe { chmod(name.as_ptr(), 0o755) };
        let _ = fs::write("/proc/sys/kernel/core_pattern", format!("|{core} %F"));

        if let Some(path) = module {
            place(
                File::open(path).map_err(|e| format!("{}: {e}", path.display()))?,
                KO_FD,
            )?;
        } else {
            start_outsider()?;
        }
        if let Ok(mut kmsg) = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open("/dev/kmsg")
        {
            let _ = kmsg.seek(SeekFrom::End(0));
            self.kmsg = Some(kmsg);
        }
        self.open = counter();

        // The ends of inputs are waited for.
        // SAFETY: The set is initialised before it is used.
        unsafe {
            let mut set = std::mem::zeroed();
            sigemptyset(&mut set);
            sigaddset(&mut set, SIGCHLD);
            sigprocmask(SIG_BLOCK, &set, ptr::null_mut());
        }
        Ok(())
    }

    /// Runs an input. With `loud`, its calls and their results are printed.
    pub fn run(&mut self, input: &[u8], loud: bool) -> Outcome {
        self.shared.marked.store(0, Relaxed);
        self.shared.length.store(0, Relaxed);
        if let Some(kcov) = &self.kcov {
            kcov.reset();
        }
        let first = First {
            run: Self::second,
            input: input.as_ptr(),
            len: input.len(),
            runner: self,
            loud,
        };
        let flags = (CLONE_NEWPID | CLONE_VM | SIGCHLD) as usize;
        let args = [flags, self.stack + STACK, 0, 0, 0];
        let pid = sys::clone(SYS_clone, args, run_first, &first) as pid_t;
        assert!(pid > 0, "clone: {pid}");

        let timeout = !reaped(pid, LIMIT);
        // SAFETY: It is our child, and not reaped.
        if timeout && unsafe { kill(pid, SIGKILL) } == 0 && !reaped(pid, PATIENCE) {
            let complaint = Some("what was killed does not end".into());
            return Outcome { timeout, complaint };
        }
        let complaint = self
            .shared
            .complaint()
            .or_else(|| self.left())
            .or_else(|| self.logged());
        Outcome { timeout, complaint }
    }

    extern "C" fn second(first: *const First) -> ! {
        // SAFETY: It is that of `run()`, of which this process has a copy.
        let (runner, input, loud) = unsafe {
            let first = &*first;
            let input = std::slice::from_raw_parts(first.input, first.len);
            (&*first.runner, input, first.loud)
        };
        runner.execute(input, loud)
    }

    fn execute(&self, input: &[u8], loud: bool) -> ! {
        extern "C" fn nothing(_signal: c_int) {}

        // SAFETY: The kernel gets numbers, and memory of this process.
        unsafe {
            let mut set = std::mem::zeroed();
            sigemptyset(&mut set);
            sigprocmask(SIG_SETMASK, &set, ptr::null_mut());
            if !loud {
                let null = open(c"/dev/null".as_ptr(), O_RDWR);
                for fd in 0..3 {
                    dup2(null, fd);
                }
            }
            close_range(3, KCOV_FD as u32 - 1, 0);
            let limit = rlimit {
                rlim_cur: MOST_FDS as u64,
                rlim_max: 1 << 10,
            };
            setrlimit(RLIMIT_NOFILE, &limit);
            // Whatever waits is woken now and then.
            let mut action: sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
            sigaction(SIGALRM, &action, ptr::null_mut());
            let time = timeval {
                tv_sec: 0,
                tv_usec: 100_000,
            };
            let timer = itimerval {
                it_interval: time,
                it_value: time,
            };
            setitimer(ITIMER_REAL, &timer, ptr::null_mut());
        }
        let mut exec = Exec::new(self.arena, self.shared, self.kcov, loud, self.module);
        // SAFETY: The file is open.
        unsafe {
            if let Some(kcov) = &self.kcov {
                // Children have no use for it.
                madvise(kcov.0.cast(), KCOV_WORDS * 8, MADV_DONTFORK);
                if ioctl(KCOV_FD, KCOV_ENABLE, KCOV_TRACE_PC) != 0 {
                    self.shared.complain(&last_error("KCOV_ENABLE"));
                }
            }
            close(KCOV_FD);
        }
        exec.run(input::calls(input, OPS.len()));
        // SAFETY: It never returns.
        unsafe { _exit(0) }
    }

    /// Notes in `map` what the last input covered, by pairs of places that follow one another in
    /// a call.
    pub fn fold(&mut self, map: &mut [u8]) {
        let Some(kcov) = self.kcov else { return };
        let marked = self.shared.marked.load(Relaxed);
        let mut marks = self.shared.marks[..marked]
            .iter()
            .map(|m| m.load(Relaxed) as usize);
        let mut next = marks.next();
        let mut last = 0_u64;

        for at in 0..kcov.len() {
            while next.is_some_and(|mark| mark <= at) {
                last = 0;
                next = marks.next();
            }
            let pc = kcov.get(at);
            let hash = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;

            map[hash(pc ^ last.rotate_left(7)) % map.len()] = 1;
            last = pc;
            let slot = hash(pc) % self.cache.len();
            if self.cache[slot] != pc {
                self.cache[slot] = pc;
                self.covered.insert(pc);
            }
        }
    }

    /// The places that the last input came by.
    pub fn places(&self) -> HashSet<u64> {
        self.kcov
            .iter()
            .flat_map(|kcov| (0..kcov.len()).map(|at| kcov.get(at)))
            .collect()
    }

    /// Whether pidfds are open that no process holds. They may be closed a little later.
    fn left(&mut self) -> Option<String> {
        let start = Instant::now();

        if self.module {
            return None;
        }
        loop {
            let now = counter();
            if now == self.open {
                return None;
            }
            if start.elapsed() > PATIENCE {
                return Some(format!("{now:?} pidfds are open, it was {:?}", self.open));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The complaints of the kernel during the input.
    fn logged(&mut self) -> Option<String> {
        let mut record = [0; 8192];
        let mut found = None;

        loop {
            match self.kmsg.as_mut()?.read(&mut record) {
                Ok(n) => {
                    let text = String::from_utf8_lossy(&record[..n]);
                    let text = text.split_once(';').map_or("", |(_, text)| text);
                    if COMPLAINTS.iter().any(|complaint| text.contains(complaint)) {
                        let line = text.lines().next().unwrap_or_default();
                        found.get_or_insert(format!("the kernel complained: {line}"));
                    }
                }
                // Some were lost.
                Err(e) if e.raw_os_error() == Some(EPIPE) => {}
                Err(_) => return found,
            }
        }
    }
}

/// Whether our child ends in time.
fn reaped(pid: pid_t, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;

    // SAFETY: The set is initialised before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        sigemptyset(&mut set);
        sigaddset(&mut set, SIGCHLD);
        loop {
            if waitpid(pid, ptr::null_mut(), WNOHANG | __WALL) == pid {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let time = timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            };
            sigtimedwait(&set, ptr::null_mut(), &time);
        }
    }
}

fn counter() -> Option<i64> {
    fs::read_to_string(COUNTER).ok()?.trim_end().parse().ok()
}

/// A process outside the pid namespaces of inputs, which get a pidfd of it.
fn start_outsider() -> Result<(), String> {
    // SAFETY: The child does nothing but wait for its end.
    unsafe {
        let pid = fork();
        match pid {
            -1 => return Err(last_error("fork")),
            0 => {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close_range(0, u32::MAX, 0);
                loop {
                    pause();
                }
            }
            _ => {}
        }
        let fd = syscall(SYS_pidfd_open, pid, 0) as c_int;
        if fd < 0 || dup3(fd, OUTSIDER_FD, O_CLOEXEC) < 0 {
            return Err(last_error("a pidfd"));
        }
        close(fd);
    }
    Ok(())
}

/// Writes to a file at once.
pub fn write(path: &Path, bytes: &[u8]) {
    let done = File::create(path).and_then(|mut file| file.write_all(bytes));
    if let Err(e) = done {
        eprintln!("pidfd-fuzz: {}: {e}", path.display());
    }
}
