// Runs a command of an agent. The command sees the system read-only, and may change one folder.
import { statSync } from "node:fs";
import { chdir } from "@nearfar/core";
import { type RunResult, run } from "@nearfar/process";
import { enterNewRoot } from "./new-root.ts";

/** Runs a command as the owner of a folder, which is /work inside. Resolves when nothing of the command is left. */
export async function runAgent(command: string, args: string[], folder: string, timeout = 60_000): Promise<RunResult> {
	const { uid, gid } = statSync(folder);
	if (uid === 0 || gid === 0) throw new Error(`${folder} belongs to root, and the command would run as root`);
	const map = (outside: number) => [{ inside: 1000, outside, count: 1 }];
	return run(command, args, {
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		// Inside, the owner of the folder is user 1000. No other id of the host exists there.
		idMap: { uids: map(uid), gids: map(gid) },
		uid: 1000,
		gid: 1000,
		init: true, // the end of the command, or of this process, is the end of everything that the command has started
		session: true, // the command cannot type into the terminal of this process
		noNewPrivs: true,
		limits: { nofile: 1024, core: 0, as: 8 * 2 ** 30, fsize: 2 ** 30 },
		env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/work" },
		timeout,
		maxOutput: 2 ** 20,
		// The task makes these calls, and becomes the command then.
		setup() {
			enterNewRoot({ "/work": { source: folder, writable: true } });
			chdir("/work");
		},
	});
}
