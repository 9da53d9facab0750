// A root directory of read-only system folders and a few folders of the caller. Two of the recipes call it in their task.
import { existsSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { Location, mkdir, openat2 } from "@nearfar/core";
import { bind, enterRoot, type MountAttribute, mountSetattr, moveMount, proc, tmpfs } from "@nearfar/mount";

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
	const system = Object.fromEntries([...folders, ...devices].map((path): [string, Folder] => [path, { source: path }]));
	const all: Record<string, Folder> = { ...system, ...own, "/tmp": {} };
	const mounts = Object.entries(all).map(([path, { source, writable }]) => {
		if (!source) return { path, mount: tmpfs(null, { size: "256m" }) };
		const set: MountAttribute[] = ["nosuid", devices.includes(path) ? "noexec" : "nodev"];
		if (!writable) set.push("rdonly");
		return { path, mount: bind(source, null, { set, propagation: "private" }) };
	});
	mounts.push({ path: "/proc", mount: proc(null) });
	using root = tmpfs(null, { mode: 0o755, size: "16m" });
	moveMount(root, "/usr"); // before Linux 6.15 nothing can be mounted in a detached tree
	for (const path of ["/dev", ...mounts.map(({ path }) => path)]) {
		const place = new Location(root, `.${path}`);
		if (devices.includes(path)) openat2(place, { flags: ["creat", "excl"], mode: 0o600 }).close();
		else mkdir(place, { mode: 0o755 });
	}
	for (const { path, mount } of mounts) {
		using place = root.open(path, { flags: ["path", "nofollow"] }); // no link leads out of the new root
		moveMount(mount, place);
		mount.close();
	}
	mountSetattr(root, { set: ["rdonly"] });
	enterRoot(root); // the old root is unmounted, with everything in it
	using limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
	limit.write("0"); // a program would have capabilities again in a user namespace of its own
	dropCapabilities();
}
