import { closeSync } from "node:fs";
import {
	type ChildProcess,
	type CloneOptions,
	chdir,
	FileDescriptor,
	Location,
	lock,
	openat2,
	readlink,
	SyscallError,
	Task,
	umask,
} from "@nearfar/core";
import { executeFor, signalNumber } from "@nearfar/core/internal";
import { setresgid, setresuid, setsid } from "@nearfar/credentials";
import { setns, unshare } from "@nearfar/namespaces";
import { setDumpable } from "@nearfar/process";
import { Privileges } from "./capabilities.ts";
import { inheritedDescriptors } from "./descriptors.ts";
import { Failure, Reasons } from "./failure.ts";
import type { Invocation } from "./operations.ts";
import { parse } from "./parse.ts";
import { absolute, BubblewrapRoot, linkReason } from "./root.ts";
import { type Ids, type Settings, settle } from "./settings.ts";
import { coveredEntries, Inputs, type Prepared, prepare, readFilter, terminal } from "./sources.ts";
import { awaitByte, report, reportExit } from "./status.ts";
import { help } from "./usage.ts";
import { Voice } from "./voice.ts";

/** The version whose options are taken. */
const VERSION = "0.11.1";
const SYS_prctl = process.arch === "arm64" ? 167 : 157;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
/** The descriptors that go with one message. */
const MOST_PASSED = 50;

/** What the command knows of this process. */
export interface Surroundings {
	/** The pid of the parent, as it was when this process began. */
	readonly parent: number;
	/** The script of the command, for `--help` and for `/proc/self/exe` as COMMAND. */
	readonly script: string;
}

/**
 * Does what the command `bwrap` does with these arguments, and returns the exit code.
 *
 * @param args - The arguments behind the name of the command.
 * @param surroundings - What the arguments do not say.
 */
export async function bubblewrap(args: readonly string[], surroundings: Surroundings): Promise<number> {
	const inherited = inheritedDescriptors();
	const voice = new Voice();
	const first = `usage: ${surroundings.script} [OPTIONS...] [--] COMMAND [ARGS...]\n`;
	try {
		const invocation = parse(args, voice);
		if (invocation === "version") return printed(`bubblewrap ${VERSION}\n`);
		if (invocation === "help") return printed(first + help);
		const real = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
		const settings = invocation === "usage" ? undefined : settle(invocation, real);
		if (!settings || invocation === "usage" || invocation.command.length === 0) {
			process.stderr.write(first);
			return 1;
		}
		const passed = inherited.filter((fd) => !invocation.named.includes(fd));
		await using sandbox = new Bubblewrap(invocation, settings, voice, surroundings);
		return await sandbox.run(passed);
	} catch (error) {
		if (!(error instanceof Failure || error instanceof SyscallError)) throw error;
		voice.fail(error.message);
		if (error.hint !== undefined) voice.fail(error.hint);
		return 1;
	}
}

function printed(text: string): number {
	process.stdout.write(text);
	return 0;
}

/** The processes of a sandbox, and how they come about. */
class Bubblewrap implements AsyncDisposable {
	readonly #invocation: Invocation;
	readonly #settings: Settings;
	readonly #voice: Voice;
	readonly #surroundings: Surroundings;
	readonly #privileges: Privileges;
	readonly #prepared: readonly Prepared[];
	readonly #filters: readonly Uint8Array[];
	readonly #tasks: Task[] = [];
	/** What the first process keeps open while it supervises the command. */
	#kept: FileDescriptor[] = [];
	/** The folder `/proc` of the host in the first process, which says there what it is. */
	#procfs: FileDescriptor | undefined;
	/** Whether something may have the name of a link that is to be made. */
	#linksMayBe = false;

	constructor(invocation: Invocation, settings: Settings, voice: Voice, surroundings: Surroundings) {
		this.#invocation = invocation;
		this.#settings = settings;
		this.#voice = voice;
		this.#surroundings = surroundings;
		const inputs = new Inputs();
		this.#privileges = new Privileges(invocation, settings.real.uid);
		this.#prepared = prepare(invocation.operations, inputs);
		const { filters, seccomp } = invocation;
		this.#filters = [...filters, ...(seccomp === undefined ? [] : [seccomp])].map((fd) => readFilter(inputs, fd));
	}

	/** Runs the command to its end. */
	async run(passed: readonly number[]): Promise<number> {
		const { dieWithParent, infoFd, statusFd, blockFd, syncFd, asPid1, named } = this.#invocation;
		const { unshare: own, separate, mappedOutside } = this.#settings;
		if (dieWithParent) this.#dieWithParent();
		const entered = await this.#enterNamespaces();
		const init = mappedOutside ? await this.#beginUnmapped(entered) : await this.#begin(entered);
		this.#checkLinks(init);
		if (!mappedOutside) this.#report(init);
		const task = separate ? await this.#cloneCommand(init) : init;
		this.#assertUserNamespaces(task);
		if (separate && own.has("pid")) {
			// Whoever gets its pid may look into it, as into any process of the same user.
			init.supervise(task.process, { fds: this.#kept, dumpable: this.#reports });
		}
		awaitByte(blockFd);
		this.#privileges.raise(task);
		const leaked = asPid1 && syncFd !== undefined ? [...passed, syncFd] : passed;
		const child = await this.#execute(task, leaked);
		// The command has them now, and whoever waits for their end waits for the command alone.
		const done = [...passed, ...named.filter((fd) => fd !== statusFd && fd !== infoFd)];
		for (const fd of new Set(done)) close(fd);
		const { code, signal } = await child.exited;
		const status = code ?? 128 + signalNumber(signal ?? "SIGKILL");
		reportExit(status, statusFd);
		return status;
	}

	/** Ends what has not become a program. */
	async [Symbol.asyncDispose](): Promise<void> {
		for (const task of this.#tasks.reverse()) {
			if (task.state !== "exec") await task[Symbol.asyncDispose]();
		}
	}

	/** Has the kernel kill this process with its parent. Everything else ends with this process. */
	#dieWithParent(): void {
		Task.near.syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		// A parent that has died before would send no signal.
		if (process.ppid !== this.#surroundings.parent) process.kill(process.pid, "SIGKILL");
	}

	/** Clones a task in the namespaces that are given as descriptors. `undefined`: none is. */
	async #enterNamespaces(): Promise<Task | undefined> {
		const { userns, pidns } = this.#invocation;
		if (userns === undefined && pidns === undefined) return undefined;
		const reasons = new Reasons();
		return this.#add(reasons, "Setting namespaces failed", () =>
			Task.clone({
				begin: (task) => {
					reasons.do("Joining specified user namespace failed", () => enter(task, userns, "user"));
					reasons.do("Setting pidns failed", () => enter(task, pidns, "pid"));
				},
			}),
		);
	}

	/** Clones the first process of the sandbox, which makes the root. */
	async #begin(entered: Task | undefined): Promise<Task> {
		for (;;) {
			const reasons = new Reasons();
			const options = { ...this.#namespaces(), begin: (task: Task) => this.#collect(task, reasons) };
			try {
				return await this.#clone(entered, options, reasons);
			} catch (error) {
				// Something has the name of a link. The links of that name are compared once the root is made.
				if (this.#linksMayBe || !(error instanceof Failure) || !isLinkThere(error)) throw error;
				this.#linksMayBe = true;
			}
		}
	}

	/** As {@link Bubblewrap.#begin}, where somebody outside maps the ids first, and has to know the process for that. */
	async #beginUnmapped(entered: Task | undefined): Promise<Task> {
		const reasons = new Reasons();
		const init = await this.#clone(entered, this.#namespaces(), reasons);
		init.run(() => setDumpable(true)); // the files of a process that is not belong to root, for whom newuidmap(1) does nothing
		this.#procfs = init.run(openProc);
		this.#report(init);
		awaitByte(this.#invocation.usernsBlockFd);
		this.#linksMayBe = true;
		try {
			await init.batch(() => {
				setDumpable(false);
				this.#collect(init, reasons);
			});
		} catch (error) {
			throw reasons.explain(error, "Can't make the root");
		}
		return init;
	}

	#clone(entered: Task | undefined, options: CloneOptions, reasons: Reasons): Promise<Task> {
		return this.#add(reasons, "Creating new namespace failed", () =>
			entered ? entered.clone(options) : Task.clone(options),
		);
	}

	/** Returns a task that is ended with the sandbox, or throws a failure in words. */
	async #add(reasons: Reasons, otherwise: string, make: () => Promise<Task>): Promise<Task> {
		try {
			const task = await make();
			this.#tasks.push(task);
			return task;
		} catch (error) {
			throw reasons.explain(error, otherwise);
		}
	}

	#namespaces(): CloneOptions {
		const { unshare: own, first, real, mappedOutside } = this.#settings;
		const namespaces = ["mnt" as const, ...own];
		if (!own.has("user")) return { namespaces };
		return { namespaces, idMap: mappedOutside ? "none" : oneId(first, real) };
	}

	/** Collects what the first process does. */
	#collect(task: Task, reasons: Reasons): void {
		const { locks, syncFd, asPid1, userns, userns2, disableUserns, tolerant, refuseLinks, pidns } = this.#invocation;
		const { unshare: own, separate, nested, inside, real, mappedOutside } = this.#settings;
		const reports = this.#reports && !mappedOutside;
		const needed = reports || (nested && (disableUserns || !separate));
		const procfs = needed ? reasons.do("Can't open /proc", openProc) : undefined;
		if (userns !== undefined) {
			if (inside.gid !== real.gid) {
				const { gid } = inside;
				reasons.do(`unable to switch to gid ${gid}`, () => setresgid(gid, gid, gid));
			}
			if (inside.uid !== real.uid) {
				const { uid } = inside;
				reasons.do(`unable to switch to uid ${uid}`, () => setresuid(uid, uid, uid));
			}
		}
		const root = new BubblewrapRoot(
			{
				prepared: this.#prepared,
				newPids: own.has("pid") || pidns !== undefined,
				newNet: own.has("net"),
				covered: coveredEntries(),
				console: terminal(),
				tolerant,
				refuseLinks,
				linksMayBe: this.#linksMayBe,
			},
			reasons,
		);
		root.collect();
		umask(process.umask());
		this.#kept = locks.map((path) => {
			const file = reasons.do(`Unable to open lock file ${path}`, () =>
				openat2(absolute(path), { flags: ["rdonly", "noctty"] }),
			);
			reasons.do(`Unable to lock file ${path}`, () => lock(file, "read"));
			return file;
		});
		if (syncFd !== undefined && !asPid1) this.#kept.push(task.put(FileDescriptor.borrow(syncFd)));
		reasons.do("Setting userns2 failed", () => enter(task, userns2, "user"));
		if (procfs && disableUserns) {
			reasons.do("sysctl user.max_user_namespaces = 1", () =>
				write(new Location(procfs, "sys/user/max_user_namespaces"), "1"),
			);
		}
		if (procfs && nested && !separate) this.#collectNested(procfs, reasons);
		if (reports) this.#procfs = procfs;
		else procfs?.close();
		if (!separate) this.#collectCommand(reasons);
	}

	/** Collects how the first process, which becomes the command, enters a second user namespace. */
	#collectNested(procfs: FileDescriptor, reasons: Reasons): void {
		const { first, inside } = this.#settings;
		reasons.do("unshare user ns", () => unshare(["user"]));
		// The files of a process that is not dumpable are root's. No other process is in the user namespace yet.
		const [uids, gids] = reasons.do("opening id maps", () => {
			setDumpable(true);
			const open = (name: string) => openat2(new Location(procfs, `self/${name}`), { flags: ["wronly"] });
			const files = [open("uid_map"), open("gid_map")] as const;
			setDumpable(false);
			return files;
		});
		reasons.do("setting up uid map", () => uids.write(`${inside.uid} ${first.uid} 1\n`));
		reasons.do("setting up gid map", () => gids.write(`${inside.gid} ${first.gid} 1\n`));
		uids.close();
		gids.close();
	}

	/** Collects what the command does before it is known to run. */
	#collectCommand(reasons: Reasons): void {
		reasons.do("capset failed", () => this.#privileges.reduce(this.#settings.otherUsers));
		if (this.#invocation.newSession) reasons.do("setsid", () => setsid());
	}

	async #cloneCommand(init: Task): Promise<Task> {
		const { nested, inside, first } = this.#settings;
		const reasons = new Reasons();
		return this.#add(reasons, "Can't fork for pid 1", () =>
			init.clone({
				...(nested && { namespaces: ["user"], idMap: oneId(inside, first) }),
				begin: () => this.#collectCommand(reasons),
			}),
		);
	}

	/** Compares links that were there already with those that were to be made. */
	#checkLinks(init: Task): void {
		if (!this.#linksMayBe) return;
		for (const { operation } of this.#prepared) {
			if (operation.kind !== "symlink") continue;
			const { dest, target } = operation;
			const found = readLink(init, dest);
			if (found !== target) throw new Failure(`${linkReason(dest)}: existing destination is ${found}`);
		}
	}

	/** Whether somebody wants to know the first process. */
	get #reports(): boolean {
		const { infoFd, statusFd } = this.#invocation;
		return infoFd !== undefined || statusFd !== undefined;
	}

	#report(init: Task): void {
		const { infoFd, statusFd } = this.#invocation;
		if (!this.#procfs) return;
		report(init, this.#procfs, this.#settings.unshare, infoFd, statusFd);
		init.run(() => this.#procfs?.close());
		if (infoFd !== undefined) close(infoFd); // its reader waits for the end
	}

	/** Makes sure that there can be no further user namespace, where that was asked for. */
	#assertUserNamespaces(task: Task): void {
		const { disableUserns, assertUsernsDisabled } = this.#invocation;
		if (!disableUserns && !assertUsernsDisabled) return;
		try {
			task.run(() => unshare(["user"]));
		} catch (error) {
			if (error instanceof SyscallError) return; // the kernel refuses it, as it should
			throw error;
		}
		throw new Failure("creation of new user namespaces was not disabled as requested");
	}

	/** Executes the command in the first directory of these that is there: the one asked for, the present one, the home, `/`. */
	async #execute(task: Task, passed: readonly number[]): Promise<ChildProcess> {
		const { chdir: asked } = this.#invocation;
		const env = this.#environment();
		const directories = asked === undefined ? [process.cwd(), ...(env.HOME ? [env.HOME] : []), "/"] : [asked];
		const descriptors = this.#passMany(task, passed);
		for (const [index, directory] of directories.entries()) {
			try {
				return await this.#executeIn(directory, task, descriptors, { ...env, PWD: directory });
			} catch (error) {
				const isLast = index === directories.length - 1;
				if (isLast || !(error instanceof Failure) || !(error.cause instanceof SyscallError)) throw error;
				if (error.cause.syscall !== "chdir") throw error;
			}
		}
		throw new Failure("Can't chdir to /");
	}

	/** Copies descriptors into the task that do not fit into one message. Returns the copies, and the numbers of the others. */
	#passMany(task: Task, passed: readonly number[]): { copies: FileDescriptor[]; rest: readonly number[] } {
		const possible = passed.filter((fd) => {
			if (fd === task.channelFd) this.#voice.warn(`Descriptor ${fd} is not passed on: give it another number`);
			return fd !== task.channelFd;
		});
		const copies = possible.slice(MOST_PASSED).map((fd) => copyTo(task, fd));
		return { copies, rest: possible.slice(0, MOST_PASSED) };
	}

	async #executeIn(
		directory: string,
		task: Task,
		{ copies, rest }: { copies: readonly FileDescriptor[]; rest: readonly number[] },
		env: Record<string, string | undefined>,
	): Promise<ChildProcess> {
		const { dieWithParent } = this.#invocation;
		const [file, argv] = this.#command();
		const execute = async (path: string, args: readonly string[]) => {
			const reasons = new Reasons();
			try {
				await task.batch(() => {
					reasons.do(`Can't chdir to ${directory}`, () => chdir(directory));
					const fds = [...copies, ...rest.map((fd) => copyTo(task, fd))];
					const options = { env, fds, deathSignal: dieWithParent ? ("SIGKILL" as const) : null };
					executeFor({ call: "execvp", descriptor: undefined }, task, path, args, options, this.#filters);
				});
			} catch (error) {
				throw reasons.explain(error, `execvp ${file}`);
			}
		};
		try {
			await execute(file, argv);
		} catch (error) {
			const { cause } = error as Failure;
			// As execvp(3), which takes a file without a header for a script.
			if (!(cause instanceof SyscallError) || cause.code !== "ENOEXEC") throw error;
			await execute("/bin/sh", ["/bin/sh", cause.path ?? file, ...argv.slice(1)]);
		}
		return task.process;
	}

	/** Returns what is executed, and its arguments. By the name of its own executable bubblewrap means itself, and not Node. */
	#command(): [file: string, argv: readonly string[]] {
		const { command, argv0 } = this.#invocation;
		const [file = "", ...args] = command;
		if (file !== "/proc/self/exe") return [file, [argv0 ?? file, ...args]];
		return [process.execPath, [process.execPath, ...process.execArgv, this.#surroundings.script, ...args]];
	}

	#environment(): Record<string, string | undefined> {
		let env: Record<string, string | undefined> = { ...process.env };
		for (const [name, value] of this.#invocation.environment) {
			if (name === undefined) env = {};
			else env[name] = value;
		}
		return env;
	}
}

/** Returns a map of one id. */
function oneId(inside: Ids, outside: Ids): NonNullable<CloneOptions["idMap"]> {
	return {
		uids: [{ inside: inside.uid, outside: outside.uid, count: 1 }],
		gids: [{ inside: inside.gid, outside: outside.gid, count: 1 }],
		helper: "never",
		setgroups: "deny",
	};
}

/** Enters a namespace that is given as a descriptor of this process. */
function enter(task: Task, fd: number | undefined, kind: "user" | "pid"): void {
	if (fd === undefined) return;
	const namespace = task.put(FileDescriptor.borrow(fd));
	setns(namespace, [kind]);
	namespace.close();
}

function openProc(): FileDescriptor {
	return openat2("/proc", { flags: ["path", "directory"] });
}

function copyTo(task: Task, fd: number): FileDescriptor {
	return task.put(FileDescriptor.borrow(fd), { number: fd, closeOnExec: false });
}

function write(at: Location, text: string): void {
	const file = openat2(at, { flags: ["wronly"] });
	file.write(text);
	file.close();
}

/** Returns the target of a link inside. */
function readLink(init: Task, dest: string): string {
	try {
		return init.run(() => readlink(absolute(dest)));
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EINVAL") {
			throw new Failure(`${linkReason(dest)}: destination exists and is not a symlink`);
		}
		throw error;
	}
}

/** Closes a descriptor that this process needs no more, unless it is stdio or closed already. */
function close(fd: number): void {
	if (fd <= 2) return;
	try {
		closeSync(fd);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EBADF") throw error;
	}
}

/** Returns whether a link could not be made because something has its name. */
function isLinkThere({ cause }: Failure): boolean {
	return cause instanceof SyscallError && cause.code === "EEXIST" && cause.syscall.startsWith("symlink");
}
