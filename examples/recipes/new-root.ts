// A root directory of read-only system folders and a few folders of the caller. Two of the recipes call it in their task.
import { existsSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { chdir, mkdir, openat2 } from "@nearfar/core";
import { mount, mountSetattr, moveMount, openTree, pivotRoot, umount } from "@nearfar/mount";

export interface Folder {
	/** The path of the host. Without one the folder is new and empty, and is writable. */
	readonly source?: string;
	readonly writable?: boolean;
}

const folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc"].filter((path) => existsSync(path));
const devices = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/**
 * Enters a new root, and gives up every capability. Inside are the system, these folders (by paths such as `/work`), a
 * `/proc` and an empty `/tmp`. The old root is unmounted: no path leads to it.
 */
export function enterNewRoot(own: Record<string, Folder>): void {
	const shown = [
		...[...folders, ...devices].map((path) => ({ path, source: path, writable: false })),
		...Object.entries(own).flatMap(([path, { source, writable }]) => (source ? [{ path, source, writable }] : [])),
	].map((one) => ({ ...one, tree: openTree(one.source, { flags: ["clone", "recursive"] }) }));
	const empty = Object.entries(own).flatMap(([path, { source }]) => (source ? [] : [path]));
	mount("root", "/tmp", "tmpfs", { flags: ["nosuid", "nodev"], data: "mode=755,size=16m" });
	chdir("/tmp");
	for (const path of ["/dev", "/proc", "/tmp", ...empty]) mkdir(`.${path}`, { mode: 0o755 });
	for (const { path, tree, writable } of shown) {
		const isDevice = devices.includes(path);
		if (isDevice) openat2(`.${path}`, { flags: ["creat", "excl"], mode: 0o600 }).close();
		else mkdir(`.${path}`, { mode: 0o755 });
		const set = ["nosuid", isDevice ? "noexec" : "nodev", ...(writable ? [] : ["rdonly" as const])] as const;
		mountSetattr(tree, { set, propagation: "private", recursive: true });
		moveMount(tree, `.${path}`);
		tree.close();
	}
	mount("proc", "./proc", "proc", { flags: ["nosuid", "nodev", "noexec"] });
	for (const path of ["/tmp", ...empty])
		mount("new", `.${path}`, "tmpfs", { flags: ["nosuid", "nodev"], data: "size=256m" });
	pivotRoot(".", ".");
	umount(".", { flags: ["detach"] }); // the old root, which lies on top of the new one
	mountSetattr("/", { set: ["rdonly"] });
	using limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
	limit.write("0"); // a program would have capabilities again in a user namespace of its own
	dropCapabilities();
}
