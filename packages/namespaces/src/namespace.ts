import type { Buffer } from "node:buffer";
import { FileDescriptor, type LocationLike, type NamespaceKind, type ProcessLike, SyscallError } from "@nearfar/core";
import {
	adoptDescriptor,
	options as checkOptions,
	pid as checkPid,
	currentTask,
	explained,
	namespaceRequests,
	native,
	numberOf,
	runInOwner,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { kindOfLink, linkNames, type NamespaceLink } from "./links.ts";
import { openHandle, readHandle } from "./namespace-handle.ts";
import { isSameInode, readId, readInode, readMountInfo, readOwnerUid, rememberedInode } from "./namespace-ids.ts";
import { currentUserNamespace, idToListAfter, kindsToList, listIds } from "./namespace-list.ts";
import { openCurrent, openOf } from "./namespace-of.ts";
import { openFile } from "./namespace-open.ts";
import { type PinOptions, pinNamespace } from "./pin.ts";
import { refuseBatch } from "./refuse-batch.ts";
import { askKind, expectedKind, rememberedKind, rememberKind } from "./remembered-kind.ts";
import { setns } from "./setns.ts";
import { unpinNamespace } from "./unpin.ts";

/**
 * An open namespace.
 *
 * The object is a descriptor of the task that was current when it was made: close-on-exec, and closed by `close` or `using`.
 * The namespace lives at least as long as the descriptor is open. `task.put`, `task.get` and `dup` return a `Namespace` again.
 *
 * @example Enter the namespaces of another task
 * ```ts
 * await using home = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
 * home.run(() => {
 *   sethostname("home");
 *   setDumpable(true); // an ordinary user may open only the namespaces of a dumpable process
 * });
 * await using guest = await Task.clone();
 * guest.run(() => {
 *   using user = Namespace.of(home, "user");
 *   using uts = Namespace.of(home, "uts");
 *   user.join();
 *   uts.join();
 * });
 * ```
 * @see namespaces(7), ioctl_nsfs(2)
 */
export class Namespace extends FileDescriptor {
	/**
	 * Opens a namespace of the current task. In Node and in a thread of Node, that is one of the thread that makes the call.
	 *
	 * The file is `/proc/thread-self/ns/<kind>`. Where `/proc` is missing, or belongs to another pid namespace that does not show the
	 * task, the namespace is opened by a pidfd of the thread (Linux 6.11).
	 *
	 * @param kind - The kind, or `"pid_for_children"` or `"time_for_children"` for the namespace that new children get.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ENOENT` The kernel has no namespaces of the kind.
	 * @throws `ENOENT` `"pid_for_children"`: the task has made a pid namespace and no child in it yet.
	 * @throws `ENOENT` `/proc` is missing, and the kernel is older than Linux 6.11.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `kind` is an unknown name.
	 * @example
	 * ```ts
	 * using net = Namespace.current("net");
	 * console.log(`${net}`); // net:[4026531833]
	 * ```
	 * @see namespaces(7), ioctl_pidfd(2); no privilege
	 */
	static current(kind: NamespaceLink): Namespace {
		return remember(openCurrent(checkLink(kind), Namespace), kind);
	}

	/**
	 * Opens a namespace of a process.
	 *
	 * The namespace is never found by a pid alone: a pidfd is opened first, and the namespace is that of the process of the pidfd,
	 * also when the pid is used again meanwhile. A task and a child have a pidfd already. For a thread of `Task.thread` the
	 * namespace is the thread's own.
	 *
	 * @param process - A task, a process, a pidfd of the current task, or a pid in the pid namespace of the current task.
	 * @param kind - The kind, or `"pid_for_children"` or `"time_for_children"` for the namespace that new children get.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ESRCH` The process has ended, or no process has the pid.
	 * @throws `EACCES` The caller may not trace the process.
	 * @throws `EOPNOTSUPP` The kernel has no namespaces of the kind.
	 * @throws `ENOENT` Before Linux 6.11: `/proc` is not mounted, the kernel has no namespaces of the kind, or the process has made a pid
	 * namespace and no child in it yet.
	 * @throws `ENOTTY` The descriptor is no pidfd.
	 * @throws `EMFILE` The table of the current task, or of Node, has no free descriptor.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` A `Process` has its pid in another pid namespace than the current task.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The pidfd is not in the table of the current task.
	 * @throws `ERR_NEARFAR_BATCH` Before Linux 6.11: the call is inside a batch, and its steps depend on each other.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `process` is none of these, or `kind` is an unknown name.
	 * @throws `RangeError` A pid is not a whole number from 1 to 2147483647.
	 * @example
	 * ```ts
	 * await using thread = await Task.clone({ namespaces: ["user", "net"] });
	 * thread.run(() => setDumpable(true)); // an ordinary user may trace only a dumpable process
	 * using net = Namespace.of(thread, "net");
	 * using own = Namespace.current("net");
	 * console.log(net.same(own)); // false
	 * ```
	 * @see pidfd_open(2), ioctl_pidfd(2), Linux 6.11; the right to trace the process, see ptrace(2)
	 */
	static of(process: ProcessLike, kind: NamespaceLink): Namespace {
		return remember(openOf(process, checkLink(kind), Namespace), kind);
	}

	/**
	 * Opens the file of a namespace: a file that a namespace is pinned on, or a link of `/proc/<pid>/ns`.
	 *
	 * While another process pins a namespace, its file is there for a moment without the namespace. The call then fails with `ENOTTY`,
	 * and succeeds a little later.
	 *
	 * @param at - The place of the file, or the open file itself.
	 * @param kind - The kind that the namespace has to have. Default: any. In a batch the kind has to be said, and only
	 * {@link Namespace.join} finds out that the namespace is of another kind.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ENOENT` The file does not exist.
	 * @throws `EACCES` The file may not be opened, or the caller may not trace the process of the link.
	 * @throws `ENOTTY` The file is not that of a namespace. `error.hint` says if it is left over from a pin.
	 * @throws `EINVAL` The namespace is of another kind than `kind`.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, and `kind` is not given.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `at` is no place, or `kind` is an unknown name.
	 * @example
	 * ```ts
	 * using uts = Namespace.open("/proc/self/ns/uts", "uts"); // or /run/netns/blue, which `ip netns add blue` has pinned
	 * console.log(uts.kind); // uts
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_NSTYPE, Linux 4.11; no privilege
	 */
	static open(at: LocationLike, kind?: NamespaceKind): Namespace {
		return openFile(at, kind, Namespace);
	}

	/**
	 * Opens a namespace by the bytes that {@link Namespace.toHandle} has returned.
	 *
	 * @param handle - The bytes. In every process the bytes mean the same namespace, until that namespace is gone.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ESTALE` The namespace is gone, or must not be seen from the user namespace of the current task.
	 * @throws `EPERM` The current task may not open the namespace.
	 * @throws `EOPNOTSUPP` The kernel is older than Linux 6.18.
	 * @throws `EBADF` The kernel is older than Linux 6.18.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `handle` is no `Uint8Array`, or its length is not the one that it says.
	 * @example
	 * ```ts
	 * using net = Namespace.current("net");
	 * try {
	 *   using again = Namespace.fromHandle(net.toHandle());
	 *   console.log(again.same(net)); // true
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // EOPNOTSUPP before Linux 6.18
	 * }
	 * ```
	 * @see open_by_handle_at(2), Linux 6.18
	 */
	static fromHandle(handle: Uint8Array): Namespace {
		refuseBatch("open a namespace by its handle");
		return adoptDescriptor(openHandle(handle), Namespace);
	}

	/**
	 * Returns the ids of the namespaces that the current task may see.
	 *
	 * There is no other way to find them for older kernels: a namespace need not have a process in it.
	 *
	 * @param options - `kinds`: the kinds to list, one or more; default all. `owner`: the user namespace that owns the
	 * namespaces, or `"current"` for that of the current task; default any. `after`: the id after which the list begins, 0 to
	 * 2^64-1; default 0.
	 * @returns The ids, ascending, as {@link Namespace.id} has them. A namespace that is made or ends meanwhile may be missing or too many.
	 * @throws `ENOSYS` The kernel is older than Linux 6.19, or a seccomp filter forbids the call.
	 * @throws `EINVAL` `owner` is no user namespace.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option has the wrong type, a name is no kind, or `kinds` is empty.
	 * @throws `RangeError` `after` is out of its range.
	 * @example
	 * ```ts
	 * try {
	 *   console.log(Namespace.list({ kinds: ["net"], owner: "current" }));
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // ENOSYS before Linux 6.19
	 * }
	 * ```
	 * @see listns(2), Linux 6.19; no privilege for what the user namespace of the task owns
	 */
	static list(options?: { kinds?: readonly NamespaceKind[]; owner?: Namespace | "current"; after?: bigint }): bigint[] {
		const { kinds, owner, after } = checkOptions(options, ["kinds", "owner", "after"]);
		const [flags, first] = [kindsToList(kinds), idToListAfter(after)];
		if (owner !== undefined && owner !== "current" && !(owner instanceof Namespace)) {
			throw wrongType("options.owner", 'a Namespace or "current"', owner);
		}
		refuseBatch("list namespaces");
		const id = owner instanceof Namespace ? owner.id : owner === "current" ? currentUserNamespace : 0n;
		// A kernel without ids has no listns(2) either, and says so.
		const ids = listIds({ kinds: flags, owner: id ?? currentUserNamespace, after: first });
		if (id === undefined) throw wrongValue("options.owner", "a namespace that has an id", owner);
		return ids;
	}

	/**
	 * Takes a pin away: unmounts what {@link Namespace.pin} has mounted, and removes the file.
	 *
	 * If several namespaces lie on each other at the place, all of them are unmounted. A regular file below them is
	 * removed, also one with content that was given to `pin` as an open file. A device, a FIFO or a socket below them stays. A file without a namespace is removed only if it is empty, because a pin may have left it over. A namespace that a process or a
	 * descriptor uses lives on.
	 *
	 * @param at - A path, or a `Location` with a path. A link at its end is not followed.
	 * @throws `ENOENT` Nothing is at the place.
	 * @throws `EINVAL` The place holds neither a namespace nor an empty regular file, and stays as it is.
	 * @throws `EINVAL` A more privileged mount namespace has made the pin.
	 * @throws `EBUSY` The namespace is mounted on the file in another place too, as after the first `ip netns add`. This mount is gone.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace.
	 * @throws `EACCES` The task may not search or change the directory.
	 * @throws `EROFS` The directory is read-only. The namespace is unmounted, and the file stays.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `at` is no path, or an open file, whose name is not known.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt", "net"], idMap: "root" });
	 * task.run(() => {
	 *   tmpfs("/tmp");
	 *   using net = Namespace.current("net");
	 *   net.pin("/tmp/blue");
	 *   Namespace.unpin("/tmp/blue");
	 * });
	 * ```
	 * @see umount2(2) MNT_DETACH, unlink(2); CAP_SYS_ADMIN over the mount namespace
	 */
	static unpin(at: LocationLike): void {
		unpinNamespace(at);
	}

	/**
	 * The kind. The kernel is asked once for all copies of the descriptor.
	 *
	 * @throws `ENOTTY` The descriptor was given to `from` or `borrow`, and is no namespace.
	 * @throws `ERR_NEARFAR_CLOSED` The kind was never asked for, and the descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, and the kind is not known.
	 */
	get kind(): NamespaceKind {
		const known = rememberedKind(this);
		if (known) return known;
		refuseBatch("ask a namespace for its kind");
		return runInOwner(this, () => askKind(this));
	}

	/**
	 * The id of the namespace, which no other namespace gets until the machine is started again. Ids do not tell which namespace is older.
	 * `undefined`: the kernel has no ids for the kind, that is before Linux 6.18, or 6.11 for `"mnt"`.
	 *
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 */
	get id(): bigint | undefined {
		refuseBatch("ask a namespace for its id");
		const { kind } = this;
		return runInOwner(this, () => readId(this, kind));
	}

	/**
	 * The number in `"net:[4026531833]"`: the inode. Another namespace may get the number as soon as this one is gone.
	 *
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 */
	get ino(): bigint {
		refuseBatch("ask a namespace for its inode");
		return runInOwner(this, () => readInode(this)).ino;
	}

	/**
	 * Returns whether both are one namespace. The descriptors may belong to different tasks.
	 *
	 * @param other - The other namespace. Both descriptors have to be open, because inodes are used again.
	 * @returns `true` if the device and the inode are the same.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task that has a descriptor has executed a program, exited or died.
	 * @throws `TypeError` `other` is no `Namespace`.
	 * @example
	 * ```ts
	 * using one = Namespace.current("ipc");
	 * using other = Namespace.of(process.pid, "ipc");
	 * console.log(one.same(other)); // true
	 * ```
	 * @see ioctl_nsfs(2), statx(2); no privilege
	 */
	same(other: Namespace): boolean {
		if (!(other instanceof Namespace)) throw wrongType("other", "a Namespace", other);
		refuseBatch("compare namespaces");
		const inodeOf = (namespace: Namespace) => runInOwner(namespace, () => readInode(namespace));
		return isSameInode(inodeOf(this), inodeOf(other));
	}

	/**
	 * Opens the user namespace that owns this one. For a user namespace that is its parent.
	 *
	 * @returns A descriptor of the current task, which the caller closes. `undefined`: the owner is above the user namespace of the current
	 * task, or there is none, as for the initial user namespace.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using net = Namespace.current("net");
	 * using owner = net.owner();
	 * console.log(owner?.kind); // user, if Node itself is in the owner or above it
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_USERNS, Linux 4.9; no privilege
	 */
	owner(): Namespace | undefined {
		refuseBatch("open the owner of a namespace");
		return remember(this.#related("owner", "EPERM"), "user");
	}

	/**
	 * Opens the parent of a user or pid namespace.
	 *
	 * @returns A descriptor of the current task, which the caller closes. `undefined`: the parent is above the user or pid namespace of the
	 * current task, or there is none, as for the initial one.
	 * @throws `EINVAL` The namespace is neither a user nor a pid namespace.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"] });
	 * task.run(() => setDumpable(true));
	 * using inner = Namespace.of(task, "user");
	 * using outer = inner.parent();
	 * using own = Namespace.current("user");
	 * console.log(outer?.same(own)); // true
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_PARENT, Linux 4.9; no privilege
	 */
	parent(): Namespace | undefined {
		refuseBatch("open the parent of a namespace");
		return remember(this.#related("parent", "EPERM"), rememberedKind(this));
	}

	/**
	 * Returns the user that owns a user namespace: the effective user of the process that has made it.
	 *
	 * @returns The user id in the user namespace of the current task; 65534 if the id is not mapped there.
	 * @throws `EINVAL` The namespace is no user namespace.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"] });
	 * task.run(() => setDumpable(true));
	 * using user = Namespace.of(task, "user");
	 * console.log(user.ownerUid() === process.geteuid?.()); // true
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_OWNER_UID, Linux 4.11; no privilege
	 */
	ownerUid(): number {
		return readOwnerUid(this);
	}

	/**
	 * Returns the pid that a process has in this pid namespace.
	 *
	 * @param pid - The pid of the process in the pid namespace of the current task, 1 to 2147483647.
	 * @returns The pid in this namespace.
	 * @throws `ESRCH` No process has the pid, or the process is not in this namespace.
	 * @throws `EINVAL` The namespace is no pid namespace.
	 * @throws `ENOTTY` The kernel is older than Linux 6.11.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `pid` is not a number.
	 * @throws `RangeError` `pid` is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
	 * task.run(() => setDumpable(true));
	 * using pids = Namespace.of(task, "pid");
	 * try {
	 *   console.log(pids.pidInside(task.pid)); // 1
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // ENOTTY before Linux 6.11
	 * }
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_PID_IN_PIDNS, Linux 6.11; no privilege
	 */
	pidInside(pid: number): number {
		return native().ioctl(numberOf(this), namespaceRequests.pidInside, checkPid(pid), false);
	}

	/**
	 * Returns the pid that a process of this pid namespace has in the pid namespace of the current task.
	 *
	 * @param pid - The pid of the process in this namespace, 1 to 2147483647.
	 * @returns The pid in the pid namespace of the current task.
	 * @throws `ESRCH` No process of this namespace has the pid, or the current task does not see the process.
	 * @throws `EINVAL` The namespace is no pid namespace.
	 * @throws `ENOTTY` The kernel is older than Linux 6.11.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `pid` is not a number.
	 * @throws `RangeError` `pid` is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
	 * task.run(() => setDumpable(true));
	 * using pids = Namespace.of(task, "pid");
	 * try {
	 *   console.log(pids.pidOutside(1) === task.pid); // true
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // ENOTTY before Linux 6.11
	 * }
	 * ```
	 * @see ioctl_nsfs(2) NS_GET_PID_FROM_PIDNS, Linux 6.11; no privilege
	 */
	pidOutside(pid: number): number {
		return native().ioctl(numberOf(this), namespaceRequests.pidOutside, checkPid(pid), false);
	}

	/**
	 * Returns how many mounts a mount namespace has, and its id.
	 *
	 * @returns `id`: as {@link Namespace.id}. `mounts`: the number of mounts.
	 * @throws `EINVAL` The namespace is no mount namespace.
	 * @throws `ENOTTY` The kernel is older than Linux 6.12.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using mounts = Namespace.current("mnt");
	 * try {
	 *   console.log(mounts.mountInfo().mounts > 0); // true
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // ENOTTY before Linux 6.12
	 * }
	 * ```
	 * @see ioctl_nsfs(2) NS_MNT_GET_INFO, Linux 6.12; no privilege
	 */
	mountInfo(): { id: bigint; mounts: number } {
		return readMountInfo(this);
	}

	/**
	 * Opens the next mount namespace in the order of the ids.
	 *
	 * @returns A descriptor of the current task, which the caller closes. `undefined`: this one is the last.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the initial user namespace, or is not in the initial pid namespace.
	 * @throws `EINVAL` The namespace is no mount namespace.
	 * @throws `ENOTTY` The kernel is older than Linux 6.12.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using mounts = Namespace.current("mnt");
	 * try {
	 *   using next = mounts.next();
	 *   console.log(next ? `${next}` : "the last one");
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // EPERM for everybody but the administrator of the machine
	 * }
	 * ```
	 * @see ioctl_nsfs(2) NS_MNT_GET_NEXT, Linux 6.12; CAP_SYS_ADMIN in the initial user namespace
	 */
	next(): Namespace | undefined {
		refuseBatch("open the next mount namespace");
		const found = explained(() => this.#related("next", "ENOENT"), forAdministrators);
		return remember(found, "mnt");
	}

	/**
	 * Opens the mount namespace before this one in the order of the ids.
	 *
	 * @returns A descriptor of the current task, which the caller closes. `undefined`: this one is the first.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the initial user namespace, or is not in the initial pid namespace.
	 * @throws `EINVAL` The namespace is no mount namespace.
	 * @throws `ENOTTY` The kernel is older than Linux 6.12.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using mounts = Namespace.current("mnt");
	 * try {
	 *   using previous = mounts.previous();
	 *   console.log(previous ? `${previous}` : "the first one");
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // EPERM for everybody but the administrator of the machine
	 * }
	 * ```
	 * @see ioctl_nsfs(2) NS_MNT_GET_PREV, Linux 6.12; CAP_SYS_ADMIN in the initial user namespace
	 */
	previous(): Namespace | undefined {
		refuseBatch("open the mount namespace before this one");
		const found = explained(() => this.#related("previous", "ENOENT"), forAdministrators);
		return remember(found, "mnt");
	}

	/**
	 * Returns bytes that stand for the namespace: for another process, or for a file. The bytes do not keep the namespace alive.
	 *
	 * @returns The handle, 24 bytes. {@link Namespace.fromHandle} opens it as long as the namespace lives.
	 * @throws `EOPNOTSUPP` The kernel is older than Linux 6.18.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using user = Namespace.current("user");
	 * try {
	 *   console.log(user.toHandle().length); // 24
	 * } catch (error) {
	 *   console.log((error as SyscallError).code); // EOPNOTSUPP before Linux 6.18
	 * }
	 * ```
	 * @see name_to_handle_at(2), Linux 6.18; no privilege
	 */
	toHandle(): Buffer {
		refuseBatch("make a handle of a namespace");
		return readHandle(this);
	}

	/**
	 * Moves the current task into the namespace, as `setns(namespace, [namespace.kind])` does.
	 *
	 * `"pid"` applies only to children that the task makes afterwards. In a user namespace that a task joins, the task has every
	 * capability, and 65534 for its ids if they are not mapped there: set the ids next. Of several namespaces, join `"user"` first.
	 *
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the user namespace that owns this one.
	 * @throws `EPERM` `"mnt"`: the task has no CAP_SYS_CHROOT in its own user namespace.
	 * @throws `EINVAL` The namespace is the task's own user namespace, or a pid namespace that is no descendant of the
	 * task's.
	 * @throws `EINVAL` The namespace was opened in a batch, and is of another kind than was said.
	 * @throws `EUSERS` User namespaces would be nested more than 32 deep.
	 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node, or in a thread of Node for a kind that one thread cannot have of its own.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * await using home = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
	 * home.run(() => setDumpable(true));
	 * await using guest = await Task.clone();
	 * await guest.batch(() => {
	 *   for (const kind of ["user", "net"] as const) {
	 *     using namespace = Namespace.of(home, kind);
	 *     namespace.join();
	 *   }
	 * });
	 * ```
	 * @see setns(2); CAP_SYS_ADMIN in the user namespace that owns the namespace
	 */
	join(): void {
		numberOf(this); // also checks the table
		setns(this, [expectedKind(this) ?? currentTask().run(() => askKind(this))]);
	}

	/**
	 * Mounts the namespace on a file, where it lives without any process, and can be opened by its path.
	 *
	 * The function makes the file, clones the mount of the namespace and attaches the clone to the open file. It makes no directory and changes
	 * no propagation. An empty regular file that is no mount point is used as it is, since `ip netns` and crashes leave such files. A namespace is
	 * never pinned on another one. If a step fails, a file that was made is removed. Between the first step and the last the file is empty, and
	 * `Namespace.open` of another process is `ENOTTY`.
	 *
	 * A pin in a shared mount reaches its peers, as any mount. `ip netns` shows what is pinned in `/run/netns`. A pinned pid namespace whose
	 * process 1 has ended is kept, and gets no process any more.
	 *
	 * @param at - The place of the file: a path or a `Location`, whose link at the end is not followed. An open file is used itself, also
	 * one with content.
	 * @param options - `mode`: the permissions of a new file, 0 to 0o7777, less the umask. Default: 0o444.
	 * @throws `EEXIST` The place holds a pin, another mount, a link, a directory or a file with content.
	 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace.
	 * @throws `ELOOP` `"mnt"`: the namespace is the task's own mount namespace, or not younger; `error.hint` names both ids and says what to do.
	 * @throws `EINVAL` `"mnt"`: the place lies in a shared mount that the namespace has too.
	 * @throws `EINVAL` The open file is a directory, or lies in another mount namespace.
	 * @throws `ENOENT` The directory does not exist.
	 * @throws `ENOTDIR` A part of the path is no directory.
	 * @throws `EACCES` The task may not search or change the directory.
	 * @throws `EROFS` The directory is read-only.
	 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`), or the file system is full.
	 * @throws `EMFILE` The table of the current task has too few free descriptors. The function needs four for a moment.
	 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the calls.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `at` is no path, or an option is unknown or has the wrong type.
	 * @throws `RangeError` `mode` is out of its range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt", "uts"], idMap: "root" });
	 * task.run(() => {
	 *   tmpfs("/tmp");
	 *   using uts = Namespace.current("uts");
	 *   uts.pin("/tmp/blue");
	 *   unshare(["uts"]);
	 *   using blue = Namespace.open("/tmp/blue");
	 *   console.log(blue.same(uts)); // true
	 * });
	 * ```
	 * @see open_tree(2), move_mount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
	 */
	pin(at: LocationLike, options?: PinOptions): void {
		pinNamespace(this, at, options);
	}

	/**
	 * Returns `"net:[4026531833]"`, the text of a link in `/proc/<pid>/ns`. Never throws: where the kernel cannot be asked any more, the
	 * text has what is known.
	 */
	toString(): string {
		const kind = expectedKind(this);
		const inode = rememberedInode(this);
		if (kind && inode) return `${kind}:[${inode.ino}]`;
		try {
			return `${this.kind}:[${this.ino}]`;
		} catch {
			return kind ? `a namespace of the kind ${kind}` : "a namespace";
		}
	}

	/** Opens another namespace by a request that takes no argument. `end`: the error that means that there is none. */
	#related(request: "owner" | "parent" | "next" | "previous", end: string): Namespace | undefined {
		try {
			return adoptDescriptor(native().ioctl(numberOf(this), namespaceRequests[request], 0, true), Namespace);
		} catch (error) {
			if (error instanceof SyscallError && error.code === end) return undefined;
			throw error;
		}
	}
}

function checkLink(link: NamespaceLink): NamespaceLink {
	if (!kindOfLink(link)) throw wrongValue("kind", `one of ${linkNames}`, link);
	return link;
}

/** Notes the kind of a namespace, as far as it is known. */
function remember<T extends Namespace | undefined>(namespace: T, link: NamespaceLink | undefined): T {
	const kind = link && kindOfLink(link);
	if (namespace && kind) rememberKind(namespace, kind);
	return namespace;
}

/** Returns why the kernel shows no other mount namespace. */
function forAdministrators({ code }: SyscallError): string | undefined {
	if (code !== "EPERM") return undefined;
	return "only the administrator of the machine goes from one mount namespace to the next: the task needs CAP_SYS_ADMIN in the initial user namespace, and has to be in the initial pid namespace";
}
