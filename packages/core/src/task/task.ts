import { native, setMakeError } from "../addon/native.ts";
import { array, options as checkOptions, descriptorNumber, integer, optionalBoolean, wrongType } from "../arguments.ts";
import { BatchError, NearfarError } from "../errors.ts";
import { adoptCopy, type FileDescriptor, numberOf } from "../files/descriptor.ts";
import { invalidateHandles } from "../files/handle.ts";
import type { PathLike } from "../files/path.ts";
import { type AddressSpace, type FDTable, PidNamespace } from "../identity.ts";
import { hintForRefusal } from "../obstacles/refusal.ts";
import { ChildProcess } from "../process/child.ts";
import type { ExitStatus } from "../process/child-state.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { Process } from "../process/process.ts";
import type { Signal } from "../process/signal.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, currentBatch, currentTask, provideTaskControl, withTarget } from "../target/target.ts";
import { refusePromise, runBatch } from "./batch.ts";
import { channelOf, channelsToSpare, refuseChannel } from "./channels.ts";
import { cloneTask } from "./clone.ts";
import type { CloneOptions } from "./clone-options.ts";
import { execute } from "./exec.ts";
import type { ExecOptions } from "./exec-options.ts";
import { goneError } from "./gone.ts";
import { afterPatience } from "./patience.ts";
import { rawSyscall, type SyscallArgument, type SyscallOptions, syscallArguments } from "./raw.ts";
import { closeLater, leaveTable } from "./sharing.ts";
import { NEAR, stateOf, type TaskParts, TaskState } from "./state.ts";
import { refuseThread, startThread, type ThreadOptions } from "./thread.ts";
import { endThread } from "./thread-life.ts";

/**
 * A process with one thread that makes system calls for this process until it executes a program or exits.
 *
 * A task starts as a child of Node would start now, with stdin, stdout and stderr and no other descriptor. The
 * changes that a task makes to itself are its own. A task ends with Node, or with the Worker that made it.
 *
 * `await using` ends a task at the end of the block. TypeScript compiles that for every Node. Plain JavaScript has it
 * from Node 24 on, and `try` with `finally` does the same everywhere.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "uts"] });
 * task.run(() => sethostname("inside"));
 * const child = task.exec("hostname");
 * await child.check();
 * ```
 * @example Without an await using declaration
 * ```ts
 * const task = await Task.clone({ namespaces: ["user", "uts"] });
 * try {
 *   task.run(() => sethostname("inside"));
 * } finally {
 *   await task[Symbol.asyncDispose]();
 * }
 * ```
 * @see clone(2); `namespaces` other than `"user"` need CAP_SYS_ADMIN, or `"user"` along with them
 */
export class Task<P extends Process = ChildProcess> implements AsyncDisposable {
	static #near: Task<Process> | undefined;

	/** The task that stands for this process. `put`, `get`, `exec`, `exit` and dispose refuse it: `ERR_NEARFAR_NEAR`. */
	static get near(): Task<Process> {
		Task.#near ??= Task.#makeNear(); // not on import, whose time it would double
		return Task.#near;
	}

	/** The process that the calls are made in. */
	readonly process: P;
	readonly #id: number;
	readonly #state: TaskState;

	/** @param parts - `Task.clone` makes tasks, their users do not. */
	private constructor(parts: TaskParts<P>) {
		this.#id = parts.id;
		this.process = parts.process;
		this.#state = new TaskState(this, parts);
	}

	static #makeNear(): Task<Process> {
		const pidNamespace = new PidNamespace(() => globalThis.process);
		const process = new Process(globalThis.process.pid, pidNamespace);
		return new Task<Process>({ id: NEAR, process, kinds: [], pids: () => pidNamespace });
	}

	/**
	 * Returns the task whose `run` or `batch` is on the stack, otherwise {@link Task.near}.
	 *
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * console.log(Task.current().isNear, task.run(() => Task.current() === task)); // true true
	 * ```
	 */
	static current(): Task<Process> {
		return currentTask();
	}

	/**
	 * Clones a task: a child of Node, whichever task is current.
	 *
	 * @param options - Namespaces, ids, what is shared, and what the task does first. Default: a task as Node is now.
	 * @returns The task. Exit it, let it execute a program, or declare it with `await using`.
	 * @throws `EPERM` A namespace or `options.setTid` needs a privilege that Node has not, or user namespaces are forbidden.
	 * @throws `ENOSPC` A limit on the number of namespaces is reached.
	 * @throws `EAGAIN` A limit on the number of processes is reached: the message says which.
	 * @throws `EEXIST` A pid of `options.setTid` is in use.
	 * @throws `EACCES` Node may not put a process into `options.cgroup`.
	 * @throws `EBUSY` `options.cgroup` has domain controllers enabled, and so takes no processes.
	 * @throws `EOPNOTSUPP` `options.cgroup` is in the invalid state of a domain.
	 * @throws `EMFILE` No descriptor is free.
	 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
	 * @throws `TypeError` An option has the wrong type, or a value that is not among those allowed.
	 * @throws `RangeError` A pid or an id is out of its range.
	 * @throws `ERR_NEARFAR_TASK_GONE` The zygote or the new task was killed during the clone.
	 * @throws `ERR_NEARFAR_UNSUPPORTED_PLATFORM` There is no addon for this platform.
	 * @throws Any error that `options.begin` throws, or a call of `options.begin` gets, with its `step`.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	 * console.log(`${task}`); // task 4711 (user net)
	 * ```
	 * @see clone(2); privileges as for each namespace in namespaces(7)
	 */
	static async clone(options?: CloneOptions): Promise<Task> {
		return cloneTask(undefined, options, (parts) => new Task(parts));
	}

	/**
	 * Clones a task from this one. The new task is a child of this one, and this process learns of its end all the same.
	 *
	 * @param options - As for {@link Task.clone}, and `share`.
	 * @returns The task. Exit it, let it execute a program, or declare it with `await using`.
	 * @throws `ERR_NEARFAR_TASK_GONE` This task has ended, or ends meanwhile.
	 * @throws `ERR_NEARFAR_BATCH` With `share: ["files"]`, a batch of another task closes descriptors of the table by number.
	 * @throws Any error that {@link Task.clone} throws.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * await using twin = await task.clone({ share: ["files"] });
	 * console.log(twin.fdTable === task.fdTable); // true
	 * ```
	 * @see clone(2)
	 */
	async clone(options?: CloneOptions): Promise<Task> {
		refuseThread(this.#state, "clone from");
		if (!this.isNear) this.#assertLive();
		return cloneTask(this.isNear ? undefined : this, options, (parts) => new Task(parts));
	}

	/**
	 * Starts a thread of Node that makes our calls and nothing else: a task without a process of its own, for sockets, mounts and
	 * names of another namespace.
	 *
	 * Descriptors and memory of the thread are those of Node: what the thread opens is usable in Node at once, and the other way
	 * round. Root, working directory, umask and namespaces are its own: `process.chdir` and `process.umask` do not reach them, and
	 * `process.setuid` does. A call that would change a single thread in another way is refused with a `MultithreadedError`.
	 *
	 * The thread makes the calls of `run` one by one while Node waits. For calls that block, use `batch`: the event loop goes on. The
	 * thread does not keep the event loop alive. It ends with `await using`, when no code can reach it, with its Worker and with
	 * Node. Dispose waits for the call under way, which nothing can interrupt.
	 *
	 * @param options - The namespaces to enter and to make. Default: those of Node.
	 * @returns The thread. Declare it with `await using`.
	 * @throws `EPERM` Node has no CAP_SYS_ADMIN in its own user namespace, or for `"mnt"` no CAP_SYS_CHROOT. An ordinary user clones
	 * a task with `"user"`, and `task.get(socket)` brings a socket of the task to Node.
	 * @throws `ENOTTY` A descriptor of `options.join` is no namespace.
	 * @throws `EAGAIN` A limit on the number of threads is reached.
	 * @throws `ENOSPC` A limit on the number of namespaces is reached.
	 * @throws `EMFILE` No descriptor is free.
	 * @throws `ERR_NEARFAR_MULTITHREADED` A namespace of `options.join` is one that all threads of Node have to be in.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor of `options.join` is not one of this process.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor of `options.join` is closed.
	 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
	 * @throws `TypeError` An option has the wrong type, or a kind is not one of {@link ThreadKind}.
	 * @example
	 * ```ts
	 * // as root
	 * await using thread = await Task.thread({ namespaces: ["uts"] });
	 * thread.run(() => sethostname("inside")); // the host name of Node stays what it is
	 * ```
	 * @see unshare(2), setns(2); CAP_SYS_ADMIN in the user namespace of Node
	 */
	static async thread(options?: ThreadOptions): Promise<Task<Process>> {
		return startThread(options, (parts) => new Task<Process>(parts)) as Promise<Task<Process>>;
	}

	/** Identity of its pid namespace. */
	get pidNamespace(): PidNamespace {
		return this.#state.pids();
	}

	/** Identity of its table of descriptors. A task cloned with `share: ["files"]` has the table of the task that cloned it. */
	get fdTable(): FDTable {
		return this.#state.fdTable;
	}

	/** Identity of its memory. A task cloned with `share: ["vm"]` has the memory of the task that cloned it. */
	get addressSpace(): AddressSpace {
		return this.#state.addressSpace;
	}

	/** The pid of the task as Node sees it. 0: the task is not visible from Node's pid namespace. */
	get pid(): number {
		return this.process.pid;
	}

	/** The id of the thread that makes the calls: of a task its pid, of {@link Task.near} that of the calling thread. */
	get tid(): number {
		if (this.isNear) return this.run(() => native().gettid());
		return this.#state.thread?.tid ?? this.pid;
	}

	/**
	 * The number, in its table, of the descriptor through which this process controls it. `undefined` for this process and its
	 * threads.
	 *
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 */
	get channelFd(): number | undefined {
		return channelOf(this.#state);
	}

	/**
	 * `"live"` while the task makes calls, `"exec"` when the task has executed a program, `"supervisor"` when the task supervises
	 * a program, `"exited"` when the task has ended before. After the end of that program it is still `"exec"` or
	 * `"supervisor"`: `process.death` says whether the process lives.
	 */
	get state(): "live" | "exec" | "supervisor" | "exited" {
		return this.#state.phase;
	}

	/** True for this process. */
	get isNear(): boolean {
		return this.#id === NEAR;
	}

	/**
	 * Makes this the current task while `fn` runs: the task makes every call of `fn`, one by one.
	 *
	 * @param fn - A synchronous function; a returned promise is a `TypeError`. Runs may be nested.
	 * @returns The result of `fn`.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended, or ends while `fn` runs.
	 * @throws `TypeError` `fn` is not a function, or returns a promise.
	 * @throws Any error that `fn` throws.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * using file = task.run(() => openat2("/etc/hostname"));
	 * console.log(task.run(() => file.read(64).toString()));
	 * ```
	 */
	run<T>(fn: () => T): T {
		if (typeof fn !== "function") throw wrongType("fn", "a function", fn);
		this.#assertLive();
		// The common case is fast: this process is the current task already.
		if (this.isNear && currentTask().isNear && !currentBatch()) return refusePromise(fn());
		return withTarget(this, undefined, () => {
			native().enter(this.#id);
			try {
				return refusePromise(fn());
			} finally {
				native().leave();
			}
		});
	}

	/**
	 * Collects the calls of `fn` and sends them in one message. The event loop is not blocked.
	 *
	 * A batch can hold calls that return nothing or descriptors, and later calls can use such a descriptor. A `write` writes
	 * all bytes there, or fails. The first call that fails ends the batch, and the task closes the descriptors that the batch
	 * has made.
	 *
	 * @param fn - A synchronous function.
	 * @returns The result of `fn`, when all calls have succeeded.
	 * @throws `ERR_NEARFAR_BATCH` `fn` makes a call whose value is not known before the batch has run.
	 * @throws `SyscallError` A call has failed: `step` is its number, from 0.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended, or ends before the batch has.
	 * @throws `TypeError` `fn` is not a function, or returns a promise.
	 * @throws Any error that `fn` throws.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * using file = await task.batch(() => {
	 *   chdir("/etc");
	 *   return openat2("hostname"); // in a batch the descriptor has no number yet, and later calls can use it
	 * });
	 * console.log(task.run(() => file.read(64).toString()));
	 * ```
	 */
	async batch<T>(fn: () => T): Promise<T> {
		if (typeof fn !== "function") throw wrongType("fn", "a function", fn);
		this.#assertLive();
		return runBatch(this, this.#id, fn);
	}

	/**
	 * Copies a descriptor of this process into the task. A batch of the task can hold this call.
	 *
	 * @param fd - A descriptor of this process, which stays open.
	 * @param options - `closeOnExec`: default true. `number`: the number that the copy gets, and the task closes the descriptor
	 * that has it. Default: the lowest free number.
	 * @returns A descriptor of the task, of the same `file`. Close it or declare it with `using`.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` `fd` is not a descriptor of this process.
	 * @throws `EMFILE` The task's table is full.
	 * @throws `EBADF` `options.number` is over the limit of descriptors.
	 * @throws `RangeError` `options.number` is the number of the task's channel.
	 * @throws `ETOOMANYREFS` One batch holds more than 62 copies.
	 * @throws `ERR_NEARFAR_CLOSED` `fd` is closed.
	 * @throws `ERR_NEARFAR_BATCH` `options.number` is given, and a task with the same table is still being cloned.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `TypeError` An argument has the wrong type.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * using file = openat2("/etc/hostname");
	 * using copy = task.put(file);
	 * console.log(task.run(() => copy.read(64).toString()), copy.file === file.file);
	 * ```
	 * @see unix(7), SCM_RIGHTS
	 */
	put<T extends FileDescriptor>(fd: T, options?: { closeOnExec?: boolean; number?: number }): T {
		this.#assertFar("put");
		const { closeOnExec = true, number: to } = checkOptions(options, ["closeOnExec", "number"]);
		if (typeof closeOnExec !== "boolean") throw wrongType("options.closeOnExec", "a boolean", closeOnExec);
		if (this.#state.thread) return this.#copy(fd, closeOnExec, to);
		if (to !== undefined) refuseChannel(this.#state, descriptorNumber(to, "options.number"), "options.number");
		const number = withTarget(Task.near, undefined, () => numberOf(fd));
		const put = () => {
			const made = native().put(this.#id, number, to ?? -1, closeOnExec);
			if (to !== undefined) invalidateHandles(this.fdTable, to, to);
			return made;
		};
		const made = isCurrent(this) ? put() : this.run(put);
		return adoptCopy(fd, made, this.fdTable);
	}

	/**
	 * Copies a descriptor of the task into this process.
	 *
	 * @param fd - A descriptor of the task, which stays open.
	 * @returns A descriptor of this process, of the same `file`, close-on-exec. Close it or declare it with `using`.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` `fd` is not a descriptor of the task.
	 * @throws `EMFILE` The table of this process is full.
	 * @throws `ERR_NEARFAR_CLOSED` `fd` is closed.
	 * @throws `ERR_NEARFAR_BATCH` `fd` is a descriptor that a batch has still to make.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `TypeError` `fd` is not a FileDescriptor.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "net"] });
	 * using namespace = task.run(() => openat2("/proc/self/ns/net"));
	 * using copy = task.get(namespace); // keeps the network namespace after the task has ended
	 * ```
	 * @see unix(7), SCM_RIGHTS
	 */
	get<T extends FileDescriptor>(fd: T): T {
		this.#assertFar("get");
		if (this.#state.thread) return this.#copy(fd);
		const made = this.#state.attributed(() => native().get(this.#id, numberOf(fd)));
		return adoptCopy(fd, made, Task.near.fdTable);
	}

	/**
	 * Makes any system call, by number. The arguments are not checked: the call does whatever the kernel allows.
	 *
	 * nearfar does not know what the call does: a call that closes or replaces descriptors by number, or that changes ids, belongs
	 * to the function that nearfar has for it. On {@link Task.near} the call is made by this thread of Node alone, and is not
	 * refused: setuid(2) or unshare(2) by number would leave Node with threads that differ.
	 *
	 * @param nr - The number of the call on this architecture.
	 * @param args - Up to six arguments, and at last perhaps {@link SyscallOptions}. The kernel gets the address of bytes, and
	 * may write to them. A {@link SyscallStruct} is bytes that hold the addresses of other bytes, up to 8 levels deep. Bytes that
	 * two addresses lead to are copied twice.
	 * @returns The result of the call. With `{ fd: true }` a descriptor of the task, close-on-exec only if the call has made it
	 * so; the caller closes it. In a batch `undefined` for any other result, and what the kernel has written is lost.
	 * @throws `SyscallError` The call has failed.
	 * @throws `ENOMEM` This process has no memory for a copy of the bytes.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the task's.
	 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
	 * @throws `ERR_NEARFAR_BATCH` The call comes after `exec` in a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 * @throws `TypeError` An argument is neither a number nor a descriptor nor bytes nor a struct, or there are more than six.
	 * @throws `TypeError` The memory of bytes has been transferred, or a struct is shorter than the word that is filled in.
	 * @throws `RangeError` `nr` or an argument does not fit into a word, or an offset is not one of the bytes.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * const name = new Uint8Array(6 * 65); // struct utsname
	 * task.syscall(process.arch === "arm64" ? 160 : 63, name);
	 * console.log(Buffer.from(name).toString().split("\0")[0]); // Linux
	 *
	 * const SYS_memfd_create = process.arch === "arm64" ? 279 : 319;
	 * using memory = task.syscall(SYS_memfd_create, Buffer.from("name\0"), 1, { fd: true });
	 * ```
	 * @see syscall(2)
	 */
	syscall(nr: number, ...args: [...args: SyscallArgument[], options: { fd: true }]): FileDescriptor;
	syscall(nr: number, ...args: SyscallArgument[]): bigint | undefined;
	syscall(nr: number, ...given: (SyscallArgument | SyscallOptions)[]): bigint | FileDescriptor | undefined {
		integer(nr, "nr", 0, 2 ** 31 - 1);
		const { args, fd } = syscallArguments(given);
		this.#state.signalsTouched = true; // the call may be one that ignores or blocks signals
		return isCurrent(this) ? rawSyscall(nr, args, fd) : this.run(() => rawSyscall(nr, args, fd));
	}

	/**
	 * Executes a program in the task, which from then on is that program. `argv` begins with `argv[0]`, as for execve(2):
	 * `task.exec("sh", ["sh", "-c", "exit 3"])`.
	 *
	 * The arguments of `spawn` of `@nearfar/process` do not, as with Node: `spawn("sh", ["-c", "exit 3"])`. So
	 * `task.exec("sh", ["-c", "exit 3"])` starts a shell of the name `-c` that looks for a script `exit 3`. An `argv[0]` that begins
	 * with `-` is a process warning (`NearfarWarning`), once, unless it is the name of a login shell: `-bash` for `/bin/bash`.
	 *
	 * The program starts with all signals at their defaults and unblocked, and with no descriptors but 0, 1, 2 and
	 * `options.fds`. In a batch this is the last call, and the program runs when the batch has succeeded. After a failure the
	 * task is usable as before, but its descriptors from 3 up are close-on-exec.
	 *
	 * @param path - A path inside the task, a name to look for in `PATH`, or an open file of the task.
	 * @param argv - The name that the program gets of itself, and its arguments. Default: the path alone.
	 * @param options - Environment, descriptors to keep, death signal, and whether `PATH` is searched.
	 * @returns The same object as `process`, when the program runs.
	 * @throws `ENOENT` There is no such file. If no folder of `PATH` has the program, `error.path` is the name.
	 * @throws `ENOENT` The file exists, and the interpreter that it names does not: the message names the interpreter.
	 * @throws `ENOENT` `path` is a descriptor of a script and close-on-exec: the kernel cannot execute that.
	 * @throws `EACCES` The file is a directory, is not executable, or its file system is mounted noexec.
	 * @throws `ENOEXEC` The kernel does not know the format of the file.
	 * @throws `E2BIG` The arguments and the environment are too long.
	 * @throws `EMFILE` No descriptor is free, in the task or in this process.
	 * @throws `ERR_NEARFAR_BATCH` A task with the same table is still being cloned.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `TypeError` An argument or an option has the wrong type, or holds a NUL byte.
	 * @example
	 * ```ts
	 * const task = await Task.clone();
	 * const child = task.exec("sh", ["sh", "-c", "exit $CODE"], { env: { ...process.env, CODE: "7" } });
	 * console.log((await child.exited).code); // 7
	 * ```
	 * @see execve(2), execveat(2)
	 */
	exec(path: PathLike | FileDescriptor, argv?: readonly string[], options?: ExecOptions): P {
		refuseThread(this.#state, "execute a program in");
		this.#assertFar("exec");
		const attempt = () => execute(this.#state, path, argv, options);
		if (isCurrent(this)) attempt();
		else this.run(attempt);
		return this.process;
	}

	/**
	 * Makes the task the supervisor of a program, its own child. A supervisor takes no more calls, and reaps its children. When
	 * the program or Node has ended, the supervisor kills everything that the program has started, and ends.
	 *
	 * Everything that becomes a child of the supervisor counts. For process 1 that is everything in its pid namespace. Any
	 * other task is made the child subreaper of the program's descendants. A process that has become another user's, and
	 * may not be killed, is left. `program.exited` resolves when all of that is done. If the supervisor itself is killed, so
	 * is the program, and other processes that the program has started are left.
	 *
	 * The supervisor gets a session of its own, unless it leads a process group: a signal to the group that it was in is not
	 * meant for it. The supervisor also gets a table of descriptors of its own, and closes all descriptors but 0, 1, 2 and
	 * `options.fds`: a pipe comes to its end when the program has ended. A program of the same user can stop the supervisor,
	 * which then does nothing until it is continued. Only a process with CAP_SYS_PTRACE can trace it, without `dumpable`. A supervisor that is
	 * process 1 is safe from everything in its namespace.
	 *
	 * @param program - A child of the task; best before it executes anything. If the program has ended already, its status
	 * stays what it is. The supervisor then kills the processes of the program that have become its own children, and ends.
	 * @param options - `forward`: the supervisor forwards the signals that it gets to the program, except those of a terminal,
	 * which sends them to both. Default: false, and such signals have no effect. `endStopped`: a signal that stops the program ends
	 * it, and everything that it has started: for a task that answers Node, and that its own programs may stop. Default: false.
	 * `fds`: descriptors of the task that stay open in the supervisor, for instance one that locks a file. Default: none. `dumpable`: a
	 * process of the same user may trace the supervisor and open its namespaces below `/proc`, as those of any process. Default: false.
	 * @throws `ECHILD` `program` is not a child of the task.
	 * @throws `ENOENT` There is no `/proc`, or `/proc` does not show the task. A process 1 needs no `/proc`.
	 * @throws `ENOENT` The kernel was built without `CONFIG_PROC_CHILDREN`. A process 1 does not need it.
	 * @throws `EXDEV` Another file is mounted over the list of the task's children in `/proc`.
	 * @throws `EMFILE` No descriptor of the task is free.
	 * @throws `ERR_NEARFAR_BATCH` A task with the same table, or `program`, is still being cloned.
	 * @throws `ERR_NEARFAR_BATCH` The task collects a batch: a supervisor could not make the calls of the batch any more.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor of `options.fds` is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor of `options.fds` belongs to another table than the task's.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has ended.
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `TypeError` `program` is not a ChildProcess, or an option has the wrong type.
	 * @example
	 * ```ts
	 * const task = await Task.clone({ namespaces: ["user", "pid"] });
	 * const program = await task.clone();
	 * task.supervise(program.process);
	 * program.exec("sh", ["sh", "-c", "sleep 1000 & exit 3"]);
	 * console.log((await program.process.exited).code); // 3, and no sleep is left
	 * ```
	 * @see wait(2), PR_SET_CHILD_SUBREAPER(2const), Linux 5.6
	 */
	supervise(
		program: ChildProcess,
		options?: { forward?: boolean; endStopped?: boolean; fds?: readonly FileDescriptor[]; dumpable?: boolean },
	): void {
		refuseThread(this.#state, "supervise a program with");
		this.#assertFar("supervise");
		if (!(program instanceof ChildProcess)) throw wrongType("program", "a ChildProcess", program);
		if (isCurrent(this) && currentBatch()) {
			throw new BatchError(
				"cannot supervise in a batch: a supervisor makes no calls any more, so await the batch first",
			);
		}
		const known = ["forward", "endStopped", "fds", "dumpable"] as const;
		const { forward, endStopped, fds = [], dumpable } = checkOptions(options, known);
		const forwards = optionalBoolean(forward, "options.forward") ?? false;
		const isDumpable = optionalBoolean(dumpable, "options.dumpable") ?? false;
		const ends = optionalBoolean(endStopped, "options.endStopped") ?? false;
		const keep = this.#state.attributed(() => array(fds, "options.fds").map((fd) => numberOf(fd, "options.fds")));
		this.#state.attributed(() => trackerOf(program).assertChildOf(this.#id));
		leaveTable(this.#state); // otherwise the supervisor would keep the channels of others open
		const init = this.#state.cloned.has("pid");
		this.#state.attributed(() => trackerOf(program).supervise(this.#id, forwards, ends, keep, init, isDumpable));
		this.#state.leave("supervisor");
	}

	/**
	 * Ends the task.
	 *
	 * @param code - The exit code, 0 to 255. Default: 0.
	 * @returns How the task ended.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task has executed a program, supervises one, or has ended.
	 * @throws `ERR_NEARFAR_BATCH` The task is still being cloned.
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `TypeError` `code` is not a number.
	 * @throws `RangeError` `code` is not a whole number from 0 to 255.
	 * @example
	 * ```ts
	 * const task = await Task.clone();
	 * console.log(await task.exit(3)); // { code: 3, signal: null, dumped: false }
	 * ```
	 * @see exit_group(2)
	 */
	async exit(code = 0): Promise<ExitStatus> {
		refuseThread(this.#state, "exit");
		this.#assertFar("exit");
		integer(code, "code", 0, 255);
		const child = this.#child("exit");
		for (const { ended } of this.#state.executing) await ended;
		if (this.state === "exec") throw goneError(this.#state);
		if (this.state === "live") {
			native().exitTask(this.#id, code);
			this.#state.leave("exited");
		}
		return child.exited;
	}

	/**
	 * Kills and reaps a task that has not ended, and a supervisor with everything that it supervises. Leaves a task alone that
	 * has executed a program. Ends a thread when its call under way has returned.
	 *
	 * @throws `ERR_NEARFAR_NEAR` The task is {@link Task.near}: this process.
	 * @throws `ERR_NEARFAR_BATCH` The task is still being cloned.
	 */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#assertNotNear("dispose");
		const { thread } = this.#state;
		if (thread) return endThread(this.#state, thread);
		const child = this.#child("dispose of");
		if (this.state === "supervisor") {
			native().endSupervision(this.#id);
			this.#signal("SIGCONT"); // a supervisor that is stopped does nothing
			await child.exited;
		}
		if (this.state === "exec" || this.state === "supervisor") return;
		if (this.state === "live") {
			native().killTask(this.#id); // a mere SIGKILL could end it between a clone and the reply that tells the new pid
			this.#state.leave("exited");
		} else {
			// `exit` was called before: the task exits with its own code, unless it is in a call that may never end.
			this.#signal("SIGCONT");
			afterPatience(() => this.#signal("SIGKILL"));
		}
		await child.exited;
		await child[Symbol.asyncDispose]();
	}

	/** Returns `"task 4711 (user mnt pid)"`, `"this process (4711)"`, or `"thread 4712 of this process (net)"`. */
	toString(): string {
		if (this.isNear) return `this process (${this.pid})`;
		const { kinds, thread } = this.#state;
		const shown = [...kinds].join(" ");
		return `${thread ? `thread ${thread.tid} of this process` : `task ${this.pid}`}${shown && ` (${shown})`}`;
	}

	/** Copies a descriptor of this process in its own table, which a thread has too. */
	#copy<T extends FileDescriptor>(fd: T, closeOnExec = true, to?: number): T {
		Task.near.run(() => numberOf(fd));
		const copy = () => (to === undefined ? fd.dup({ closeOnExec }) : fd.dupTo(to, { closeOnExec }));
		return isCurrent(this) ? copy() : Task.near.run(copy);
	}

	#signal(signal: Signal): void {
		try {
			this.process.kill(signal);
		} catch {
			// The task has ended already; or it has become another user's, and the end of its channel ends it.
		}
	}

	#child(what: string): ChildProcess {
		if (!(this.process instanceof ChildProcess)) throw new NearfarError("NEAR", `${this} is not a child`);
		trackerOf(this.process).assertCloned(what);
		return this.process;
	}

	#assertLive(): void {
		if (this.state !== "live") throw goneError(this.#state);
	}

	#assertNotNear(what: string): void {
		if (this.isNear)
			throw new NearfarError("NEAR", `cannot ${what} this process: Task.near is Node itself; clone a task`);
	}

	#assertFar(what: string): void {
		this.#assertNotNear(what);
		this.#assertLive();
	}
}

function isCurrent(task: AnyTask): boolean {
	return currentTask() === task;
}

setMakeError(makeError);
provideTaskControl({
	near: () => Task.near,
	closeLater,
	channelsToSpare: (task) => channelsToSpare(stateOf(task)),
	refuseChannel: (task, number, parameter) => refuseChannel(stateOf(task), number, parameter),
	leaveTable: (task) => leaveTable(stateOf(task)),
	hint: (failure) => hintForRefusal(currentTask(), failure),
	goneError: (task, broken) => goneError(stateOf(task), broken),
});
