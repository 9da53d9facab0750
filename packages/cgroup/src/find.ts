import { posix } from "node:path";
import { SyscallError, statx } from "@nearfar/core";
import { native, toPath } from "@nearfar/core/internal";
import { type Directory, near } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { isUnderSystemd, notDelegatedHint, readOnlyHint } from "./hints.ts";
import { openCurrent } from "./place.ts";
import { missingError, occupiedError } from "./refusals.ts";
import { isRoot, pidsIn } from "./state.ts";

const AT_FDCWD = -100;
const LENGTH = 16; // bytes of an attribute: systemd writes "1"
/** No such attribute; no attributes here, as before Linux 5.7; and one that this process may not read. */
const without = ["ENODATA", "EOPNOTSUPP", "EACCES", "EPERM"];

/** What a directory that qualifies is: the root of all cgroups, or one that was delegated to this user. */
export interface Found {
	readonly directory: Directory;
	readonly origin: "root" | "delegated";
}

/** Looks for a directory in which this process may make limited groups. Moves nothing. */
export function findDirectory(controllers: readonly string[]): Found {
	const own = openCurrent(undefined);
	let above: Directory | undefined;
	let found: Directory | undefined;
	try {
		const refusal = refusalOf(own.directory, own.path, controllers);
		if (!refusal) found = own.directory;
		else {
			const isBelow = !isRoot(own.directory) && pidsIn(own.directory)?.length !== 0;
			above = isBelow ? own.directory.parent() : undefined;
			if (!above || refusalOf(above, posix.dirname(own.path), controllers)) throw refusal;
			found = above;
		}
		return { directory: found, origin: isRoot(found) ? "root" : "delegated" };
	} finally {
		if (found !== own.directory) own.directory.fd.close();
		if (found !== above) above?.fd.close();
	}
}

/**
 * Returns why a directory does not qualify. What would still be in the way after `evacuate` comes first.
 *
 * @param cgroup - The path of the directory from the root of this process's cgroup namespace.
 */
function refusalOf(directory: Directory, cgroup: string, controllers: readonly string[]): CgroupError | undefined {
	const what = `make limited groups in ${directory.path}`;
	return (
		missingError(directory, controllers, what) ??
		refusalToWrite(directory) ??
		(isManaged(directory, cgroup)
			? new CgroupError("not-delegated", `cannot ${what}: another program manages it`, notDelegatedHint)
			: occupiedError(directory, what))
	);
}

function refusalToWrite(directory: Directory): CgroupError | undefined {
	for (const file of ["cgroup.procs", "cgroup.subtree_control"]) {
		try {
			directory.open(file, ["wronly"]).close();
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error;
			const message = `cannot make groups in ${directory.path}: ${file} cannot be written (${error.code})`;
			if (error.code === "EROFS") return new CgroupError("readonly", message, readOnlyHint, { cause: error });
			if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
			return new CgroupError("not-delegated", message, notDelegatedHint, { cause: error });
		}
	}
	return undefined;
}

/** Returns whether another program manages a directory: systemd would undo or break what is made there. */
function isManaged(directory: Directory, cgroup: string): boolean {
	const uid = near("find a cgroup", () => native().geteuid());
	if (uid !== 0) {
		const isSystemds = /\.slice$|^user@\d+\.service$/.test(directory.name);
		return isSystemds || near("find a cgroup", () => statx(directory.fd).uid) !== uid;
	}
	// Of all cgroups the root is never that of a namespace alone.
	const isRootOfNamespace = cgroup === "/" && !isRoot(directory);
	return isUnderSystemd() && !isRootOfNamespace && !hasDelegateMark(directory);
}

/** Returns whether systemd has marked a directory as delegated, which it does from version 251 on. */
function hasDelegateMark(directory: Directory): boolean {
	return ["user.delegate", "trusted.delegate"].some((name) => attribute(directory, name) === "1");
}

function attribute({ fd }: Directory, name: string): string | undefined {
	return near("find a cgroup", () => {
		try {
			// Through /proc: the kernel reads no attribute of a descriptor that was opened with `path`.
			return native().getxattr(AT_FDCWD, toPath(fd), 0, name, LENGTH).toString();
		} catch (error) {
			if (error instanceof SyscallError && without.includes(error.code)) return undefined;
			throw error;
		}
	});
}
