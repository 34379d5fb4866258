//! The one door from foreign threads into a Tcl thread.
//!
//! A foreign thread only wakes: [`Source::wake`] sets the source's flag and, if that was clear,
//! puts the source's id on its thread's ready list and alerts the thread. There, one Tcl event
//! source serves the list: its setup proc asks for no waiting while the list is not empty, its check
//! proc queues exactly one event for the round, and the event gives the first source on the list its
//! turn. A turn that leaves work behind wakes its own source, which puts it at the list's end; it
//! never queues an event itself, so timers and files get their share of every round.
//!
//! The flag is cleared *before* a turn drains. Were it cleared after, a message that arrives between
//! the last look and the clearing would find the flag set, wake nobody, and lie there.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::ffi::{c_int, c_void};
use std::rc::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use super::guard::guard;
use super::interp::Interp;
use super::sys::{self, Tcl_Event, Tcl_ThreadId, Tcl_Time, Tcl_TimerToken};
use super::task::{run_from_event, Frame, Task};

/// What foreign threads may know of a Tcl thread.
struct Door {
    thread: ThreadId,
    list: Mutex<Ready>,
    /// Signalled with every wake, for a Tcl thread that blocks in a call.
    changed: Condvar,
    open: AtomicBool,
    /// How often the event source's check proc found something, for the test of idleness.
    firings: AtomicU64,
}

#[derive(Default)]
struct Ready {
    ids: VecDeque<u64>,
    /// Counts wakes, so that a blocked thread can tell a new one from an old one.
    wakes: u64,
}

struct ThreadId(Tcl_ThreadId);

// SAFETY: a Tcl_ThreadId is an opaque number that Tcl_ThreadAlert takes from any thread; for a
// thread that is gone it does nothing.
unsafe impl Send for ThreadId {}
// SAFETY: as above; it is never written.
unsafe impl Sync for ThreadId {}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alert(&self) {
        if self.open.load(Ordering::Acquire) {
            // SAFETY: allowed from any thread (Thread(3tcl)); the door is open, so Tcl is there.
            unsafe { sys::thread_alert(self.thread.0) };
        }
    }
}

/// What gets turns in its Tcl thread. It may be woken from anywhere.
pub struct Source {
    id: u64,
    ready: AtomicBool,
    door: Arc<Door>,
}

impl Source {
    /// Wakes the object: it gets a turn soon, in its own thread. Allowed with any lock held that its
    /// turns don't take.
    pub fn wake(&self) {
        let mut list = self.door.lock();
        let news = !self.ready.swap(true, Ordering::AcqRel);
        if news {
            list.ids.push_back(self.id);
        }
        // A blocked thread waits for any news of its client, also when the flag was set already.
        list.wakes += 1;
        drop(list);
        self.door.changed.notify_all();
        if news {
            self.door.alert();
        }
    }

    /// Asks for another turn from within the own thread: as `wake`, but the thread needs no alert,
    /// since the event source's setup proc looks at the list before it would sleep.
    pub fn again(&self) {
        let mut list = self.door.lock();
        if !self.ready.swap(true, Ordering::AcqRel) {
            list.ids.push_back(self.id);
        }
    }

    /// Whether a turn is due.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Takes the source off the ready list and clears its flag, for a call that serves the object
    /// itself: what comes after this wakes again. Tells whether there was a wake.
    pub fn take(&self) -> bool {
        let ready = self.ready.load(Ordering::Acquire);
        if ready {
            let mut list = self.door.lock();
            list.ids.retain(|id| *id != self.id);
            self.ready.store(false, Ordering::Release);
        }
        ready
    }

    pub fn id(&self) -> u64 {
        self.id
    }
}

/// What gives a woken object its turn.
pub trait Turn {
    /// The work of one turn, bounded in time, with the interpreter whose callbacks it calls; nothing
    /// if there is none.
    fn turn(self: std::rc::Rc<Self>) -> Option<(Interp, Box<dyn Task>)>;
}

/// The objects of a thread by id, with what wakes them.
type Turns = HashMap<u64, (Weak<dyn Turn>, Arc<Source>)>;

/// A thread's own part: only Rust data without Tcl values, for it is dropped after Tcl is gone.
struct Local {
    door: Arc<Door>,
    turns: RefCell<Turns>,
    exits: RefCell<Vec<fn()>>,
    closed: Cell<bool>,
}

thread_local! {
    static LOCAL: OnceCell<Local> = const { OnceCell::new() };
}

fn with_local<R>(f: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(|cell| {
        f(cell.get_or_init(|| {
            // SAFETY: called in a Tcl thread; the procs are ours and take no data.
            let thread = unsafe {
                sys::create_event_source(setup_proc, check_proc, std::ptr::null_mut());
                sys::create_thread_exit_handler(thread_exit, std::ptr::null_mut());
                sys::current_thread()
            };
            Local {
                door: Arc::new(Door {
                    thread: ThreadId(thread),
                    list: Mutex::default(),
                    changed: Condvar::new(),
                    open: AtomicBool::new(true),
                    firings: AtomicU64::new(0),
                }),
                turns: RefCell::default(),
                exits: RefCell::default(),
                closed: Cell::new(false),
            }
        }))
    })
}

/// Makes this thread's event source, unless it is there.
pub fn init_thread() {
    with_local(|_| {});
}

/// Has `f` called when this Tcl thread ends, also by `exit` in the main thread.
pub fn on_thread_exit(f: fn()) {
    with_local(|l| l.exits.borrow_mut().push(f));
}

/// Has `f` called at `exit`, in the thread that exits.
pub fn on_process_exit(f: fn()) {
    // SAFETY: a plain function that stays, and its own address as data; Tcl calls it once.
    unsafe { sys::create_exit_handler(process_exit, f as *mut c_void) };
}

unsafe extern "C" fn process_exit(data: *mut c_void) {
    // SAFETY: the data is the address of a `fn()`, put there above.
    let f = unsafe { std::mem::transmute::<*mut c_void, fn()>(data) };
    let _ = guard(f);
}

/// Has Tcl start its notifier now.
///
/// Tcl starts it when a thread first waits, and 8.6's waits with `select` for a pipe that it opens
/// then. By that time the sockets of many clients may have taken all descriptors below FD_SETSIZE,
/// and the C library ends the process for one above. A change of the service mode has Tcl start it
/// (`Tcl_ServiceModeHook`, tclUnixNotfy.c).
fn start_notifier() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: called in a Tcl thread; the mode is what it was at once again.
        unsafe {
            let mode = sys::set_service_mode(sys::TCL_SERVICE_ALL);
            sys::set_service_mode(mode);
        }
    });
}

/// A source for an object of this thread, under `id`.
pub fn register(id: u64, object: Weak<dyn Turn>) -> Arc<Source> {
    start_notifier();
    with_local(|l| {
        let source = Arc::new(Source { id, ready: AtomicBool::new(false), door: l.door.clone() });
        l.turns.borrow_mut().insert(id, (object, source.clone()));
        source
    })
}

/// Forgets an object: wakes for it are misses from now on.
pub fn unregister(id: u64) {
    with_local(|l| {
        l.turns.borrow_mut().remove(&id);
    });
}

/// Locks the calling thread's door until the value is dropped: the thread is about to fork, and its
/// child needs the door unlocked.
pub fn hold_door() -> Box<dyn Any> {
    /// In this order: the guard goes first.
    struct Held {
        _guard: Option<MutexGuard<'static, Ready>>,
        _door: Option<Arc<Door>>,
    }
    // Not `with_local`: a thread without Tcl may fork too.
    let door = LOCAL.try_with(|cell| cell.get().map(|l| l.door.clone())).ok().flatten();
    let guard = door.as_ref().map(|door| {
        // SAFETY: the door outlives its guard: `Held` has both and drops the guard first.
        unsafe {
            std::mem::transmute::<MutexGuard<'_, Ready>, MutexGuard<'static, Ready>>(door.lock())
        }
    });
    Box::new(Held { _guard: guard, _door: door })
}

/// How many objects of this thread get turns, for the tests of leaks.
pub fn registered() -> usize {
    with_local(|l| l.turns.borrow().len())
}

/// How often this thread's event source had something to do.
pub fn firings() -> u64 {
    with_local(|l| l.door.firings.load(Ordering::Relaxed))
}

/// Whether Tcl has an asynchronous handler (a signal, `interp cancel` from another thread) waiting.
pub fn async_pending() -> bool {
    // SAFETY: no arguments; allowed anywhere.
    unsafe { sys::async_ready() != 0 }
}

/// A wait of this thread for wakes, by a call that blocks.
pub struct Waiter {
    door: Arc<Door>,
    seen: u64,
}

impl Default for Waiter {
    fn default() -> Self {
        Waiter::new()
    }
}

impl Waiter {
    pub fn new() -> Waiter {
        with_local(|l| Waiter { door: l.door.clone(), seen: l.door.lock().wakes })
    }

    /// Waits until something was woken since the last call, or until `deadline`, but for no more
    /// than 50 ms: cancellation and signals have no wake of their own.
    pub fn wait(&mut self, deadline: Option<Instant>) {
        let mut limit = Duration::from_millis(50);
        if let Some(d) = deadline {
            limit = limit.min(d.saturating_duration_since(Instant::now()));
        }
        let list = self.door.lock();
        let seen = self.seen;
        let (list, _) = self
            .door
            .changed
            .wait_timeout_while(list, limit, |l| l.wakes == seen)
            .unwrap_or_else(PoisonError::into_inner);
        self.seen = list.wakes;
    }

    /// What a helper thread calls when its result is there.
    pub fn signal(&self) -> impl Fn() + Send + 'static {
        let door = self.door.clone();
        move || {
            door.lock().wakes += 1;
            door.changed.notify_all();
        }
    }
}

/// A Tcl timer that wakes a source. Gone when dropped.
pub struct Timer {
    token: Tcl_TimerToken,
    /// What the timer's data points to.
    _source: Arc<Source>,
}

impl Timer {
    pub fn new(after: Duration, source: Arc<Source>) -> Timer {
        let ms = c_int::try_from(after.as_millis()).unwrap_or(c_int::MAX);
        let data = Arc::as_ptr(&source).cast_mut().cast::<c_void>();
        // SAFETY: the source outlives the timer: dropping that deletes Tcl's timer first.
        let token = unsafe { sys::create_timer(ms, timer_proc, data) };
        Timer { token, _source: source }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: deleting a timer that has fired does nothing (Tcl_CreateTimerHandler(3tcl)).
        unsafe { sys::delete_timer(self.token) };
    }
}

unsafe extern "C" fn timer_proc(data: *mut c_void) {
    // SAFETY: the source that `Timer` holds, alive as long as the timer, and only read.
    let source = unsafe { &*data.cast::<Source>() };
    let _ = guard(|| source.wake());
}

unsafe extern "C" fn setup_proc(_data: *mut c_void, flags: c_int) {
    if flags & sys::TCL_FILE_EVENTS != 0 && pending() {
        let now = Tcl_Time { sec: 0, usec: 0 };
        // SAFETY: called from a setup proc, as it must be.
        unsafe { sys::set_max_block_time(&now) };
    }
}

unsafe extern "C" fn check_proc(_data: *mut c_void, flags: c_int) {
    if flags & sys::TCL_FILE_EVENTS == 0 || !pending() {
        return;
    }
    let _ = guard(|| with_local(|l| l.door.firings.fetch_add(1, Ordering::Relaxed)));
    // SAFETY: the event comes from Tcl's allocator, as Tcl frees it; it holds no data of ours, so
    // Tcl may also free it without a call.
    unsafe {
        let event = sys::alloc(size_of::<Tcl_Event>()).cast::<Tcl_Event>();
        event.write(Tcl_Event { proc_: Some(event_proc), next: std::ptr::null_mut() });
        sys::queue_event(event, sys::TCL_QUEUE_TAIL);
    }
}

fn pending() -> bool {
    guard(|| {
        LOCAL.with(|cell| {
            cell.get().is_some_and(|l| !l.closed.get() && !l.door.lock().ids.is_empty())
        })
    })
    .unwrap_or(false)
}

unsafe extern "C-unwind" fn event_proc(_event: *mut Tcl_Event, flags: c_int) -> c_int {
    if flags & sys::TCL_FILE_EVENTS == 0 {
        return 0;
    }
    let next = guard(next_turn).unwrap_or(None);
    // Plain data only from here on: `thread::exit` in a callback unwinds this frame by force.
    if let Some((interp, frame)) = next {
        // SAFETY: a new frame, driven here only; the object checked that its interpreter lives.
        unsafe { run_from_event(interp.ptr(), frame) };
    }
    1
}

/// The first object on the ready list that is still there and has work.
fn next_turn() -> Option<(Interp, *mut Frame)> {
    LOCAL.with(|cell| {
        let local = cell.get()?;
        loop {
            let id = local.door.lock().ids.pop_front()?;
            let found = local.turns.borrow().get(&id).map(|(o, s)| (o.upgrade(), s.clone()));
            let Some((object, source)) = found else { continue };
            // Before the turn drains, for what comes from now on has to wake again.
            source.ready.store(false, Ordering::Release);
            if let Some((interp, task)) = object.and_then(Turn::turn) {
                return Some((interp, Frame::new(task)));
            }
        }
    })
}

unsafe extern "C" fn thread_exit(_data: *mut c_void) {
    let _ = guard(|| {
        LOCAL.with(|cell| {
            let Some(local) = cell.get() else { return };
            let exits = local.exits.take();
            for f in exits {
                f();
            }
            local.closed.set(true);
            local.door.open.store(false, Ordering::Release);
            local.turns.borrow_mut().clear();
        });
    });
    // SAFETY: made by this thread with the same arguments.
    unsafe { sys::delete_event_source(setup_proc, check_proc, std::ptr::null_mut()) };
}
