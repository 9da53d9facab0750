// Runs a command in a root directory that is layered of folders, as the layers of an image are. All changes go to memory.
import { statSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { chdir, Location, mkdir, openat2 } from "@nearfar/core";
import { enterRoot, moveMount, openTree, overlay, populateDev, proc, tmpfs } from "@nearfar/mount";
import { type RunResult, run } from "@nearfar/process";

/** Runs a command as the owner of the topmost folder, which is the first. Resolves when nothing of the command is left. */
export async function runImage(
	layers: string[],
	command: string,
	args: string[],
	timeout = 60_000,
): Promise<RunResult> {
	const { uid, gid } = statSync(layers[0] ?? "/");
	if (uid === 0 || gid === 0) throw new Error(`${layers[0]} belongs to root, and the command would run as root`);
	const map = (outside: number) => [{ inside: 1000, outside, count: 1 }];
	return run(command, args, {
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		idMap: { uids: map(uid), gids: map(gid) },
		uid: 1000,
		gid: 1000,
		init: true, // the end of the command, or of this process, is the end of everything that the command has started
		session: true, // the command cannot type into the terminal of this process
		noNewPrivs: true,
		env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/tmp" },
		timeout,
		maxOutput: 2 ** 20,
		// The task makes these calls, and becomes the command then.
		setup: () => enterImage(layers),
	});
}

function enterImage(layers: string[]): void {
	using scratch = tmpfs(null, { size: "256m", mode: 0o755 }); // no path leads here
	const place = (name: string) => new Location(scratch, name);
	for (const name of ["upper", "work", "bottom", "bottom/dev", "bottom/proc", "bottom/tmp"]) {
		mkdir(place(name), { mode: 0o755 });
	}
	const mounts = { dev: populateDev(null), proc: proc(null), tmp: tmpfs(null, { size: "256m" }) };
	const lower = [...layers, place("bottom")];
	overlay("/usr", { lower, upper: place("upper"), work: place("work"), set: ["nosuid", "nodev"] });
	using root = openTree("/usr");
	for (const [name, mount] of Object.entries(mounts)) {
		using place = root.open(name, { flags: ["path", "nofollow"] }); // no link of a layer leads out of the root
		moveMount(mount, place);
		mount.close();
	}
	enterRoot(root); // the old root is unmounted, with everything in it
	chdir("/");
	using limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
	limit.write("0"); // a program would have capabilities again in a user namespace of its own
	dropCapabilities();
}
