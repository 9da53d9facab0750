import { type LocationLike, SyscallError, Task } from "@nearfar/core";
import { type BindOptions, bind, type Mount, openTree } from "@nearfar/mount";

const OPEN_TREE_CLONE = 1;
const NO_FLAG_OF_OPEN_TREE = 0x4000_0000;

/** Whether the kernel has open_tree_attr(2). `undefined`: the kernel was not asked yet. */
let inOneCall: boolean | undefined;

/** Copies a tree of files, with attributes. The copy lies nowhere yet. */
export function copyTree(source: LocationLike, attributes: Omit<BindOptions, "recursive">): Mount {
	inOneCall ??= Task.near.run(hasOpenTreeAttr);
	return inOneCall
		? openTree(source, { flags: ["clone", "recursive"], ...attributes })
		: bind(source, null, attributes);
}

/** Asks with a flag that no kernel takes. A kernel older than Linux 6.15 answers ENOSYS, and a filter that does not know the call EPERM. */
function hasOpenTreeAttr(): boolean {
	try {
		openTree("/", { flags: OPEN_TREE_CLONE | NO_FLAG_OF_OPEN_TREE, propagation: "private" }).close();
		return true;
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		return error.code === "EINVAL";
	}
}
