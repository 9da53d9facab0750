import { type Process, SyscallError } from "@nearfar/core";
import { addHint } from "@nearfar/core/internal";
import { type Directory, near } from "./directory.ts";
import { toPid } from "./place.ts";

const hints: Readonly<Record<string, string>> = {
	EACCES:
		"the kernel asks for write access to the nearest cgroup above both places: clone the process into the cgroup with `clone`, or take one of `Cgroup.viaSystemd()`, whose tasks begin inside",
	EBUSY: "controllers are enabled in this cgroup, so that processes belong into the groups below: see `enabled`",
	EOPNOTSUPP: "the cgroup is `domain invalid` or threaded: see `type`, and use a group of the type `domain`",
	EINVAL: "threads of the kernel cannot be moved",
};

/** Moves a process into a cgroup. */
export async function addProcess(directory: Directory, process: number | Process): Promise<void> {
	const pid = near("add a process to a cgroup", () => toPid(process));
	try {
		await directory.writeInHelper("cgroup.procs", `${pid}`);
	} catch (error) {
		if (error instanceof SyscallError) addHint(error, ({ code }) => hints[code]);
		throw error;
	}
}
