import { native } from "../addon/native.ts";
import { SyscallError } from "../syscall-error.ts";
import { taskOf, withFile } from "../target/target.ts";
import { type FileDescriptor, numberOf } from "./descriptor.ts";
import { type OpenHow, openat2 } from "./files.ts";
import { Location } from "./location.ts";

const PROC_SUPER_MAGIC = 0x9fa0;
const ENOENT = 2;

/** Returns whether an open file of the current task lies on a procfs. */
export function isOnProcfs(file: FileDescriptor): boolean {
	return native().fileSystemType(numberOf(file)) === PROC_SUPER_MAGIC;
}

/**
 * Opens a file below `/proc`, if a procfs is mounted on `/proc`.
 *
 * The root of a container can have anything at this path: a named pipe, on which the call would wait for ever, or a link to a file
 * without an end. The call goes through no mount inside of the procfs either.
 *
 * @param path - The path below `/proc`, such as `"self/mountinfo"`. An error of the call names the whole path.
 * @param flags - How the file is opened. Default: for reading.
 */
export function openOwnProc(path: string, flags: OpenHow["flags"] = []): FileDescriptor {
	const whole = `/proc/${path}`;
	return withFile(whole, () => {
		using proc = openat2("/proc", { flags: ["path", "directory"] });
		if (isOnProcfs(proc)) {
			return openat2(new Location(proc, path), { flags, resolve: ["noXdev"] });
		}
		const hint = "no procfs is mounted on /proc: mount one there";
		throw new SyscallError({ code: "ENOENT", errno: ENOENT, syscall: "openat2" }, { path: whole, hint, ...taskOf() });
	});
}
