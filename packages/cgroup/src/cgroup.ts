import {
	type CloneOptions,
	type FileDescriptor,
	type LocationLike,
	type Process,
	type SyscallError,
	Task,
	type TaskGoneError,
} from "@nearfar/core";
import { abortSignal, options as checkOptions, text as checkText, throwIfAborted } from "@nearfar/core/internal";
import { checkControllers } from "./check-controllers.ts";
import { checkLimits } from "./check-limits.ts";
import { createIn } from "./create.ts";
import { type Directory, near } from "./directory.ts";
import { enableIn } from "./enable.ts";
import { CgroupError } from "./errors.ts";
import { evacuateInto } from "./evacuate.ts";
import { type CgroupEvent, watchEvents } from "./events.ts";
import { findDirectory } from "./find.ts";
import { freeze, thaw } from "./freeze.ts";
import { endScope } from "./keeper.ts";
import { kill } from "./kill.ts";
import type { CgroupLimits } from "./limits.ts";
import { endingLoops } from "./loop.ts";
import { addProcess } from "./members.ts";
import { checkFile, checkName } from "./name.ts";
import { idOf } from "./own.ts";
import { openAt, openCurrent } from "./place.ts";
import { type Pressure, type Trigger, watchPressure } from "./pressure.ts";
import { readLimits } from "./read-limits.ts";
import { threadedError } from "./refusals.ts";
import { remove } from "./remove.ts";
import { setLimits } from "./set-limits.ts";
import { type CgroupStat, readStat } from "./stat.ts";
import { availableIn, type CgroupType, type Controller, enabledIn, eventIn, readPids, typeOf } from "./state.ts";
import { bothRefused, checkScope, type SystemdOptions, startScope } from "./systemd.ts";
import { idsBelow } from "./tree.ts";

/** What {@link Cgroup.find} looks for. */
export interface FindOptions {
	/** The controllers that limited groups need. Default: memory and pids. */
	controllers?: readonly Controller[];
}

/** Where a {@link Cgroup} comes from. Groups that are made in one have the origin of that one. */
export type CgroupOrigin = "root" | "delegated" | "systemd" | "given";

/** What a Cgroup is made of. */
interface Parts {
	readonly directory: Directory;
	readonly origin: CgroupOrigin;
	/** The object that has made the directory. Absent: the directory was there before. */
	readonly maker?: Cgroup;
	/** The task that clones for this process. */
	readonly keeper?: Task | undefined;
}

/**
 * A directory of cgroup v2, held by a descriptor. No path is looked up again.
 *
 * Every call is made in this process, whichever task is current. A batch refuses them: `ERR_NEARFAR_BATCH`.
 *
 * @example
 * ```ts
 * await using group = Cgroup.current();
 * console.log(group.path, group.controllers, group.pids.includes(process.pid));
 * ```
 * @see cgroups(7); Linux 5.7
 */
export class Cgroup implements AsyncDisposable {
	/** Where the directory comes from: {@link Cgroup.find}, {@link Cgroup.open} and {@link Cgroup.current} (`"given"`). */
	readonly origin: CgroupOrigin;
	/**
	 * The task that clones into this cgroup and those below in the place of Node, which may not: that of {@link Cgroup.viaSystemd}. It ends
	 * with Node, and with the scope. `undefined`: Node clones.
	 */
	readonly keeper: Task | undefined;
	readonly #directory: Directory;
	readonly #maker: Cgroup | undefined;
	#parent: Cgroup | undefined;
	#removing: Promise<void> | undefined;

	private constructor({ directory, origin, maker, keeper }: Parts) {
		this.#directory = directory;
		this.origin = origin;
		this.keeper = keeper;
		this.#maker = maker;
	}

	/**
	 * Opens the cgroup in which a process is.
	 *
	 * @param process - A process, or its pid in the pid namespace of this process. Default: this process.
	 * @returns The cgroup. Close it with `await using`; the directory stays.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"v1"`, `"not-mounted"`, `"outside-namespace"` or `"removed"`.
	 * @throws `ESRCH` No process has the pid.
	 * @throws `ENOENT` No procfs is mounted on `/proc`.
	 * @throws `EACCES` A directory on the way may not be searched.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `process` is neither a number nor a Process.
	 * @throws `RangeError` The pid is not a whole number from 1 to 2147483647.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * await using group = Cgroup.current(task.process);
	 * console.log(group.pids.includes(task.pid)); // true
	 * ```
	 * @see cgroups(7), proc_pid_cgroup(5); no privilege
	 */
	static current(process?: number | Process): Cgroup {
		return new Cgroup({ directory: openCurrent(process).directory, origin: "given" });
	}

	/**
	 * Opens a directory of a cgroup2 file system.
	 *
	 * @param at - A path, an open directory, or a `Location`, near.
	 * @returns The cgroup. Close it with `await using`; the directory stays.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"not-cgroup2"`.
	 * @throws `ENOENT` The directory does not exist.
	 * @throws `ENOTDIR` The file is not a directory.
	 * @throws `EACCES` A directory on the way may not be searched.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `at` is no location, or a path holds a NUL byte.
	 * @example
	 * ```ts
	 * await using own = Cgroup.current();
	 * await using same = Cgroup.open(own.fd);
	 * console.log(same.id === own.id); // true
	 * ```
	 * @see cgroups(7), openat2(2); no privilege
	 */
	static open(at: LocationLike): Cgroup {
		return new Cgroup({ directory: openAt(at), origin: "given" });
	}

	/**
	 * Finds a directory in which this process may make limited groups. Moves nothing.
	 *
	 * Two directories are looked at: the one of this process, and, where that one has processes and is not the root of all cgroups, the
	 * one above. A directory qualifies when it has the controllers, can be written, has no processes of its own or is the root, and is
	 * managed by nobody else. An ordinary user has to own it, and it is neither a `.slice` nor `user@UID.service`. For user 0 systemd must
	 * be absent, or the directory marked as delegated, or the root of this process's cgroup namespace.
	 *
	 * @param options - The controllers that are needed. Default: memory and pids.
	 * @returns The cgroup, with the origin `"root"` or `"delegated"`. Close it with `await using`; the directory stays.
	 * @throws `ERR_NEARFAR_CGROUP` Neither qualifies. `reason` is `"controller"`, `"readonly"`, `"not-delegated"` or `"occupied"`, in this
	 * order, for the directory of this process; or one of {@link Cgroup.current}.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` An option has the wrong type.
	 * @example
	 * ```ts
	 * try {
	 *   await using parent = Cgroup.find();
	 *   console.log(parent.path, parent.origin);
	 * } catch (error) {
	 *   if (!(error instanceof CgroupError)) throw error;
	 *   console.log(error.reason, error.hint); // occupied: call `evacuate` of `Cgroup.current()` …
	 * }
	 * ```
	 * @see cgroups(7), "Cgroups delegation"; no privilege
	 */
	static find(options?: FindOptions): Cgroup {
		const { controllers = ["memory", "pids"] } = checkOptions(options, ["controllers"]);
		return new Cgroup(findDirectory(checkControllers(controllers, "options.controllers")));
	}

	/**
	 * Has systemd make a scope with `Delegate=yes`, whose cgroup belongs to this program alone. Moves none of its processes.
	 *
	 * A task, the keeper, is cloned, and systemd is asked through `/usr/bin/busctl` to put it into a scope. The keeper then goes into the
	 * child `keeper` of the scope, and all controllers of the scope are enabled. Clones into this cgroup and into those below go through the
	 * keeper: from a login session Node itself may not put processes there, and the kernel says `EACCES`. When the keeper and all other
	 * processes of the scope have ended, systemd removes it with every directory in it. The keeper ends with Node, however Node ends.
	 *
	 * `systemctl daemon-reload` leaves the limits alone. `systemctl stop` kills everything in the scope: methods then throw `"removed"`.
	 *
	 * @param options - `manager`: that of the user or of the system; default: the system's for root. `name`: of the unit, which ends in
	 * `.scope`; default: `nearfar-PID-N.scope`. `controllers`: those that have to be there; default: memory and pids. `signal`: aborts.
	 * @returns The cgroup, with the origin `"systemd"`. `await using` ends the scope.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"systemd"`: busctl is missing, or has refused; the message has its text. Or `"controller"`, with
	 * `missing`; or one of {@link Cgroup.current}.
	 * @throws `ABORT_ERR` The signal was aborted. No task is left, and no scope.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` An option has the wrong type, or the name is not one of a scope.
	 * @example
	 * ```ts
	 * try {
	 *   await using scope = await Cgroup.viaSystemd();
	 *   await using group = scope.create("work", { limits: { memory: { max: 256 << 20 } } });
	 *   console.log(group.path); // /user.slice/…/nearfar-123-130.scope/work
	 * } catch (error) {
	 *   if (!(error instanceof CgroupError)) throw error;
	 *   console.log(error.reason, error.hint); // systemd: let the systemd of this user run without a login, by …
	 * }
	 * ```
	 * @see systemd.scope(5), systemd.resource-control(5), busctl(1); systemd 239, no privilege with the manager of the user
	 */
	static async viaSystemd(options?: SystemdOptions): Promise<Cgroup> {
		const request = near("make a scope of systemd", () => checkScope(options));
		return new Cgroup({ ...(await startScope(request)), origin: "systemd" });
	}

	/**
	 * Finds a directory as {@link Cgroup.find} does, and has systemd make one where that refuses.
	 *
	 * @param options - As for {@link Cgroup.find} and {@link Cgroup.viaSystemd}.
	 * @returns The cgroup. Close it with `await using`.
	 * @throws `ERR_NEARFAR_CGROUP` Both refuse. The error is that of {@link Cgroup.viaSystemd}, with that of {@link Cgroup.find} as `cause`.
	 * @throws `ABORT_ERR` The signal was aborted.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` An option has the wrong type.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = await Cgroup.obtain({ controllers: ["memory"] });
	 * console.log(parent.origin); // root, delegated or systemd
	 * ```
	 * @see cgroups(7), systemd.scope(5)
	 */
	static async obtain(options?: FindOptions & SystemdOptions): Promise<Cgroup> {
		const request = near("make a scope of systemd", () => checkScope(options));
		throwIfAborted(request.signal);
		try {
			return Cgroup.find({ controllers: request.controllers });
		} catch (found) {
			if (!(found instanceof CgroupError)) throw found;
			try {
				return new Cgroup({ ...(await startScope(request)), origin: "systemd" });
			} catch (error) {
				throw error instanceof CgroupError ? bothRefused(found, error) : error;
			}
		}
	}

	/** The descriptor of the directory, opened with `path`. It belongs to this object, which closes it. */
	get fd(): FileDescriptor {
		return this.#directory.fd;
	}

	/** The last component of the path. The root of a mount has an empty name. */
	get name(): string {
		return this.#directory.name;
	}

	/** The path below the mount, as it was when the directory was opened. For messages. */
	get path(): string {
		return this.#directory.path;
	}

	/** The id of the cgroup, which no other one gets until the machine is restarted. */
	get id(): bigint {
		return idOf(this.#directory);
	}

	/**
	 * The cgroup above. `undefined`: this is the root of the mount.
	 *
	 * The object is made at the first access, unless it has made this one. It is then closed along with this one.
	 */
	get parent(): Cgroup | undefined {
		if (this.#maker) return this.#maker;
		if (!this.#parent) {
			const directory = this.#directory.parent();
			if (directory) this.#parent = new Cgroup({ directory, origin: "given" });
		}
		return this.#parent;
	}

	/** Whether the directory was removed, by this program or another one. */
	get removed(): boolean {
		return this.#directory.removed;
	}

	/** How the cgroup takes processes and threads. nearfar makes `"domain"` alone. */
	get type(): CgroupType {
		return typeOf(this.#directory);
	}

	/** The controllers that are available here. */
	get controllers(): readonly Controller[] {
		return availableIn(this.#directory);
	}

	/** The controllers that are available in groups in this one. */
	get enabled(): readonly Controller[] {
		return enabledIn(this.#directory);
	}

	/** Whether a process is in this cgroup or in one below. A process that has ended and was not reaped yet is in none. */
	get populated(): boolean {
		return eventIn(this.#directory, "populated") ?? true;
	}

	/** Whether every process of this cgroup and of those below stands still. */
	get frozen(): boolean {
		return eventIn(this.#directory, "frozen") ?? false;
	}

	/**
	 * The processes of the directory itself, without those below. 0 stands for a process of another pid namespace.
	 *
	 * @throws `EOPNOTSUPP` The cgroup is threaded.
	 */
	get pids(): readonly number[] {
		return readPids(this.#directory);
	}

	/**
	 * Makes controllers available in the groups in this one. Those that already are stay as they are.
	 *
	 * A directory with processes of its own is refused before anything is written, but for the root of all cgroups. The kernel itself accepts
	 * `"cpu"` and `"pids"` there: the directory becomes `"domain threaded"`, and no process can begin in a group in it.
	 *
	 * @param controllers - The controllers.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"controller"`, with `missing`; `"occupied"`, with `pids`; or `"removed"`.
	 * @throws `EACCES` This process may not write the directory.
	 * @throws `EROFS` The file system is mounted read-only.
	 * @throws `EOPNOTSUPP` The directory is threaded, and the controller is one of domains.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `controllers` is not an array of strings.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * parent.enable(["memory", "pids"]);
	 * console.log(parent.enabled); // memory, pids and what else was enabled
	 * ```
	 * @see cgroups(7), `cgroup.subtree_control`; the owner of the directory, or CAP_DAC_OVERRIDE
	 */
	enable(controllers: readonly Controller[]): void {
		enableIn(this.#directory, checkControllers(controllers, "controllers"));
	}

	/**
	 * Moves every process of the directory into a new child, this one too. Repeats until none is left, because processes fork meanwhile.
	 *
	 * Afterwards {@link Cgroup.find} finds the directory. Where it has no process, nothing happens. Nothing else of this package moves
	 * the processes of the caller.
	 *
	 * @param name - The name of the child. Default: `"main"`.
	 * @returns This object.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"busy"`: the directory is the root of all cgroups, or `pids` could not be moved; `"occupied"`:
	 * the directory is threaded; or `"removed"`.
	 * @throws `EEXIST` A directory of this name is there, and processes are not yet in it.
	 * @throws `EACCES` This process may not write the directory, or the processes come from another user's.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` The name is not allowed.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("service");
	 * await using task = await Task.clone({ cgroup: group });
	 * await group.evacuate(); // of itself a service calls `Cgroup.current().evacuate()`
	 * console.log(group.pids, task.state); // [] live
	 * ```
	 * @see cgroups(7), "The no internal processes rule"; the owner of the directory, or CAP_DAC_OVERRIDE
	 */
	async evacuate(name = "main"): Promise<this> {
		const checked = checkName(name, this.controllers);
		const refusal = threadedError(this.#directory);
		if (refusal) throw refusal;
		await evacuateInto(this.#directory, checked);
		return this;
	}

	/**
	 * Makes a directory in this one, and limits it.
	 *
	 * The controllers that the limits need are enabled in this one first. If a limit is refused, the new directory is removed again, and the
	 * error names the file.
	 *
	 * @param name - One component of a path, which does not begin with `cgroup.` or with the name of a controller and a dot.
	 * @param options - `limits`: as for {@link Cgroup.set}. Default: none, and no controller is enabled.
	 * @returns The cgroup. `await using` removes it.
	 * @throws `EEXIST` A directory of this name is there. It stays as it is.
	 * @throws `EACCES` This process may not write the directory.
	 * @throws `EROFS` The file system is mounted read-only.
	 * @throws `EAGAIN` `cgroup.max.descendants` or `cgroup.max.depth` of this cgroup or of one above is reached.
	 * @throws `ENOENT` The kernel does not have the file of a limit, as `memory.swap.max` without swap.
	 * @throws `EINVAL` The kernel refuses a limit.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"controller"`, with `missing`; `"occupied"`, with `pids`; or `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` The name is not allowed, or an option has the wrong type.
	 * @throws `RangeError` A limit is out of its range.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work", { limits: { memory: { max: 256 << 20 }, pids: 100 } });
	 * console.log(group.path, group.limits().memory?.max); // /…/work 268435456
	 * ```
	 * @see cgroups(7), mkdir(2); the owner of the directory, or CAP_DAC_OVERRIDE
	 */
	create(name: string, options?: { limits?: CgroupLimits }): Cgroup {
		const { limits } = checkOptions(options, ["limits"]);
		const writes = checkLimits(limits, "options.limits");
		const directory = createIn(this.#directory, checkName(name, this.controllers), writes);
		return new Cgroup({ directory, origin: this.origin, maker: this, keeper: this.keeper });
	}

	/**
	 * Returns the limits, as the kernel says. A part whose controller is not here is absent, and so is all in the root of all cgroups.
	 *
	 * @returns The limits. A protected amount that is `max` is 9007199254740991.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * await using group = Cgroup.current();
	 * console.log(group.limits().pids); // "max", a number, or undefined
	 * ```
	 * @see "Controllers" in the kernel's admin-guide/cgroup-v2; no privilege
	 */
	limits(): CgroupLimits {
		return readLimits(this.#directory);
	}

	/**
	 * Sets limits. What is absent stays as it is.
	 *
	 * The files are written one after the other by a task beside this process: `memory.max` below what is used reclaims and kills before
	 * the write returns. If a limit is refused, those that were written before it stay, and the error names the file.
	 *
	 * @param limits - The limits. Numbers are bytes, counts and CPUs; text such as `"50M"` is refused.
	 * @throws `ENOENT` The kernel does not have the file of a limit, as `memory.swap.max` without swap, or the directory is the root.
	 * @throws `EINVAL` The kernel refuses a limit.
	 * @throws `EACCES` This process may not write the file. Those of a delegated directory itself belong to the user that has delegated it.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"controller"`, with `missing`; or `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` A limit has the wrong type.
	 * @throws `RangeError` A limit is out of its range.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work", { limits: { memory: { max: 256 << 20 } } });
	 * await group.set({ memory: { max: 512 << 20, oomGroup: true } });
	 * ```
	 * @see "Controllers" in the kernel's admin-guide/cgroup-v2; the owner of the files, or CAP_DAC_OVERRIDE
	 */
	async set(limits: CgroupLimits): Promise<void> {
		await setLimits(this.#directory, checkLimits(limits, "limits"));
	}

	/**
	 * Returns what the cgroup uses, with everything below it. A part whose controller is not here is absent.
	 *
	 * @returns Bytes, counts and milliseconds.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * await using group = Cgroup.current();
	 * const { cpu, memory } = group.stat();
	 * console.log(cpu.usage > 0, memory?.events.oomKill);
	 * ```
	 * @see "Controllers" in the kernel's admin-guide/cgroup-v2; no privilege
	 */
	stat(): CgroupStat {
		return readStat(this.#directory);
	}

	/**
	 * Reads a file of the directory, for those that this class has no name for.
	 *
	 * @param file - The name of the file, such as `"memory.numa_stat"`.
	 * @returns The text.
	 * @throws `ENOENT` The directory has no such file, because of its controllers or because of the kernel.
	 * @throws `EACCES` The file cannot be read, as `cgroup.kill`.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `file` is no name of a file.
	 * @example
	 * ```ts
	 * await using group = Cgroup.current();
	 * console.log(group.read("cgroup.stat")); // nr_descendants 12 …
	 * ```
	 * @see cgroups(7); mostly no privilege
	 */
	read(file: string): string {
		return this.#directory.read(checkFile(file));
	}

	/**
	 * Writes a file of the directory, by a task beside this process: the kernel may reclaim, kill or wait before the write returns.
	 *
	 * @param file - The name of the file, such as `"memory.reclaim"`.
	 * @param text - What is written, in one write.
	 * @throws `ENOENT` The directory has no such file, because of its controllers or because of the kernel.
	 * @throws `EACCES` This process may not write the file.
	 * @throws `EINVAL` The kernel refuses the text.
	 * @throws `ERR_NEARFAR_CGROUP` `reason` is `"removed"`.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `file` is no name of a file, or `text` is not a string.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * await group.write("cgroup.max.descendants", "10");
	 * ```
	 * @see cgroups(7); the owner of the file, or CAP_DAC_OVERRIDE
	 */
	async write(file: string, text: string): Promise<void> {
		await this.#directory.writeInHelper(checkFile(file), checkText(text, "text"));
	}

	/**
	 * Returns the states of this cgroup: the present one, and one more after each change.
	 *
	 * What changes while the consumer is busy comes as one value, and a change that was taken back is no value. The numbers are
	 * totals: compare them with an earlier value. Why a process has died is better read from {@link Cgroup.stat} when it has died. The
	 * controllers are those that are there when a loop begins.
	 *
	 * A loop ends with {@link Cgroup.remove} and with the signal. It keeps the event loop alive while it waits.
	 *
	 * @param options - `signal`: ends the loops.
	 * @returns An iterable. Each `for await` over it is a loop of its own, which closes its files when it ends.
	 * @throws `ENOENT` This is the root of all cgroups, which has no events. Thrown by a loop.
	 * @throws `ERR_NEARFAR_CGROUP` `"removed"`: another program has removed the directory, which a loop finds out within a second.
	 * @throws `EMFILE` No descriptor is free. Thrown by a loop.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` An option has the wrong type.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * const task = await group.clone();
	 * task.exec("sleep", ["sleep", "0.1"]);
	 * for await (const { populated, memory } of group.events()) {
	 *   console.log(memory?.oomKill);
	 *   if (!populated) break; // the last process has ended
	 * }
	 * ```
	 * @see cgroups(7), "cgroup.events"; Linux 5.2; no privilege
	 */
	events(options?: { signal?: AbortSignal }): AsyncIterable<CgroupEvent> {
		const signal = abortSignal(checkOptions(options, ["signal"]).signal);
		return near("watch a cgroup", () => watchEvents(this.#directory, this.id, signal));
	}

	/**
	 * Returns the pressure on a resource, each time the processes of this cgroup have waited long for it.
	 *
	 * The kernel looks at windows of time, and a loop has at most one value for each window. Each loop has a trigger of its own.
	 *
	 * @param resource - `"memory"`, `"cpu"` or `"io"`.
	 * @param trigger - How much waiting is long, and the signal that ends the loops.
	 * @returns An iterable. Each `for await` over it is a loop of its own, which ends with {@link Cgroup.remove} and with the signal.
	 * @throws `EINVAL` The window of an ordinary user is no multiple of 2000. Thrown by a loop.
	 * @throws `EACCES` This process may not write the file, as in the delegated directory itself. Thrown by a loop.
	 * @throws `ENOENT` The kernel counts no pressure here: it was built or booted without PSI, or `cgroup.pressure` is 0. Thrown by a loop.
	 * @throws `EOPNOTSUPP` The kernel was booted with `psi=0`. Thrown by a loop.
	 * @throws `ERR_NEARFAR_CGROUP` `"removed"`: another program has removed the directory. Thrown by a loop.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` An argument has the wrong type, or is no resource or no kind.
	 * @throws `RangeError` `stall` or `window` is out of its range.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * const signal = AbortSignal.timeout(100);
	 * for await (const { some } of group.pressure("memory", { stall: 200, window: 2000, signal })) {
	 *   console.log(`${some.avg10} % of the last 10 s were spent waiting for memory`);
	 * }
	 * ```
	 * @see Documentation/accounting/psi.rst; Linux 5.2, without CAP_SYS_RESOURCE 6.5
	 */
	pressure(resource: "memory" | "cpu" | "io", trigger: Trigger): AsyncIterable<Pressure> {
		return near("watch a cgroup", () => watchPressure(this.#directory, this.id, resource, trigger));
	}

	/**
	 * Moves a process with all its threads into this cgroup. Its children stay where they are, and later ones begin here.
	 *
	 * {@link Cgroup.clone} starts a process here, which is quicker and leaves no moment outside of the limits.
	 *
	 * @param process - The process, or its pid in the pid namespace of this process.
	 * @throws `ESRCH` No process has the pid.
	 * @throws `EACCES` This process may not write the nearest common cgroup above, as from a login session into the tree of its user
	 * manager; or it may not write the file.
	 * @throws `EBUSY` Controllers are enabled in this directory, which then takes no processes.
	 * @throws `EOPNOTSUPP` The cgroup is `"domain invalid"`.
	 * @throws `EINVAL` The process is a thread of the kernel.
	 * @throws `ERR_NEARFAR_CGROUP` `"removed"`: the directory was removed.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws `TypeError` `process` is neither a number nor a Process.
	 * @throws `RangeError` The pid is not a whole number from 1 to 2147483647.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * await using task = await Task.clone();
	 * await group.add(task.process);
	 * console.log(group.pids.includes(task.pid)); // true
	 * ```
	 * @see cgroups(7), "Moving processes"; the owner of both cgroups and of the nearest common one
	 */
	async add(process: number | Process): Promise<void> {
		await addProcess(this.#directory, process);
	}

	/**
	 * Clones a task that begins in this cgroup. As {@link Task.clone} with `cgroup`.
	 *
	 * Into a frozen cgroup the task is cloned, and answers nothing until {@link Cgroup.thaw}. Make its calls with `batch` until then: `run` and
	 * `exec` block this process, which could thaw the cgroup no more.
	 *
	 * @param options - As for {@link Task.clone}, without `cgroup`.
	 * @returns The task. Exit it, let it execute a program, or declare it with `await using`.
	 * @throws `EACCES` This process may not write the nearest common cgroup above.
	 * @throws `EAGAIN` The limit of processes is reached, here or above.
	 * @throws `EBUSY` Controllers are enabled in this directory, which then takes no processes.
	 * @throws `EOPNOTSUPP` The cgroup is `"domain invalid"`.
	 * @throws `ERR_NEARFAR_CGROUP` `"removed"`: the directory was removed.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @throws Any error that {@link Task.clone} throws.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * await using task = await group.clone();
	 * console.log(group.pids.includes(task.pid)); // true
	 * ```
	 * @see clone(2), CLONE_INTO_CGROUP; Linux 5.7
	 */
	async clone(options?: Omit<CloneOptions, "cgroup">): Promise<Task> {
		near("clone into a cgroup", () => this.fd); // a removed group, and a batch
		return Task.clone({ ...options, cgroup: this });
	}

	/**
	 * Returns the error for a clone into this cgroup that was refused: `"removed"`, if the directory is gone. Called by nearfar.
	 *
	 * @param error - The refusal.
	 * @returns The error that the clone rejects with.
	 */
	refused(error: SyscallError | TaskGoneError): Error {
		return this.removed ? this.#directory.removedError(error) : error;
	}

	/**
	 * Freezes every process of this cgroup and below. Resolves when the last one stands still, which the kernel says by `frozen`.
	 *
	 * A frozen process can still be killed. One that waits for a device or a file system (state D) is frozen only when that is over.
	 *
	 * @throws `EACCES` This process may not write the file.
	 * @throws `ENOENT` This is the root of all cgroups.
	 * @throws `ERR_NEARFAR_CGROUP` `"occupied"`: this process is in the cgroup or below. `"busy"`: the cgroup was thawed meanwhile.
	 * `"removed"`: the directory was removed.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * await group.freeze();
	 * console.log(group.frozen); // true
	 * await group.thaw();
	 * ```
	 * @see cgroups(7), "cgroup.freeze"; Linux 5.2; the owner of the directory
	 */
	async freeze(): Promise<void> {
		await freeze(this.#directory);
	}

	/**
	 * Lets the processes of this cgroup and below go on. Resolves when the kernel says that they are not frozen.
	 *
	 * @throws `EACCES` This process may not write the file.
	 * @throws `ENOENT` This is the root of all cgroups.
	 * @throws `ERR_NEARFAR_CGROUP` `"busy"`: a cgroup above is frozen, or this one was frozen anew meanwhile. `"removed"`: the directory
	 * was removed.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * await group.freeze();
	 * await group.thaw();
	 * console.log(group.frozen); // false
	 * ```
	 * @see cgroups(7), "cgroup.freeze"; Linux 5.2; the owner of the directory
	 */
	async thaw(): Promise<void> {
		await thaw(this.#directory);
	}

	/**
	 * Kills every process of this cgroup and below with SIGKILL, also those that are frozen and those that fork meanwhile. Resolves when
	 * `populated` is false.
	 *
	 * The processes are frozen, and killed one by one. Only where that is not enough, as for a process of another user, the file
	 * `cgroup.kill` is written: Linux 6.1 and 6.18 kill every process that is cloned into such a cgroup afterwards.
	 *
	 * A process in state D is killed only when its wait is over, and the promise waits for it. {@link Cgroup.remove} gives up after 5 s.
	 *
	 * @throws `EACCES` This process may not write the file.
	 * @throws `EOPNOTSUPP` The cgroup is threaded: kill the `"domain threaded"` above.
	 * @throws `ERR_NEARFAR_CGROUP` `"occupied"`: this process is in the cgroup or below. `"removed"`: the directory was removed before.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * await using group = parent.create("work");
	 * const task = await group.clone();
	 * await group.kill();
	 * console.log(group.populated, (await task.process.exited).signal); // false SIGKILL
	 * ```
	 * @see cgroups(7), "cgroup.kill"; Linux 5.2; the owner of the directory
	 */
	async kill(): Promise<void> {
		await kill(this.#directory);
	}

	/**
	 * Kills every process of this cgroup and below, and removes the directory with those below. Closes the descriptor.
	 *
	 * A directory that is gone is no error. If one attempt fails, the next one may succeed.
	 *
	 * @throws `EACCES` This process may not write the directory above. Nothing is killed then.
	 * @throws `EOPNOTSUPP` The cgroup is threaded, and has processes: remove the `"domain threaded"` above.
	 * @throws `ERR_NEARFAR_CGROUP` `"busy"`: there still are processes after 5 s, or this is the root of a mount. `"occupied"`: this
	 * process is in the cgroup or below.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
	 * @example
	 * ```ts
	 * // with a cgroup of its own
	 * await using parent = Cgroup.find();
	 * const group = parent.create("work");
	 * await group.clone();
	 * await group.remove();
	 * console.log(group.removed); // true
	 * ```
	 * @see cgroups(7), rmdir(2); the owner of the directory above
	 */
	async remove(): Promise<void> {
		this.#removing ??= this.#remove().finally(() => {
			this.#removing = undefined;
		});
		await this.#removing;
		if (!this.#maker) await this.keeper?.[Symbol.asyncDispose]();
		this.#directory.end();
		if (this.#parent) this.#parent.#close();
	}

	async #remove(): Promise<void> {
		const isScope = this.keeper && !this.#maker && !this.removed;
		if (isScope) {
			await endingLoops(idsBelow(this.#directory), async () => {
				await endScope(this.#directory);
				return this.removed;
			});
		}
		await remove(this.#directory);
	}

	/** Removes a directory that `create` or `viaSystemd` has made; closes the descriptor of every other one. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#maker || this.keeper) return this.remove();
		this.#close();
	}

	/** Closes the descriptor, and those of the cgroups above that this object has opened. */
	#close(): void {
		if (!this.#directory.ended) this.#directory.fd.close();
		if (this.#parent) this.#parent.#close();
	}

	/** Returns `"cgroup /a/b"`. */
	toString(): string {
		return `cgroup ${this.path}`;
	}
}
