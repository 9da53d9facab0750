// Builds in namespaces that are gone afterwards. The results are read through a descriptor that outlives them.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { chdir, type FileDescriptor, Location, openat2, statx, Task } from "@nearfar/core";
import { setresgid, setresuid } from "@nearfar/credentials";
import { setNoNewPrivs } from "@nearfar/process";
import { enterNewRoot } from "./new-root.ts";

/** Runs a script as the owner of `sources`, which are /src inside. Returns the files that the script leaves in /out. */
export async function build(script: string, sources: string): Promise<Map<string, Buffer>> {
	const { uid, gid } = statSync(sources);
	if (uid === 0 || gid === 0) throw new Error(`${sources} belongs to root, and the script would run as root`);
	const map = (outside: number) => [{ inside: 1000, outside, count: 1 }];
	await using task = await Task.clone({
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		idMap: { uids: map(uid), gids: map(gid) },
	});
	const inside = task.run(() => {
		setresgid(1000, 1000, 1000);
		setresuid(1000, 1000, 1000);
		setNoNewPrivs();
		enterNewRoot({ "/src": { source: sources }, "/out": {} });
		chdir("/src");
		return openat2("/out", { flags: ["path", "directory"] });
	});
	using out = task.get(inside); // the same folder, for this process
	// The script is process 1 of its pid namespace. The kernel kills every other process when it ends.
	const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/tmp" };
	await task.exec("sh", ["sh", "-ec", script], { env, deathSignal: "SIGKILL" }).check();
	return readAll(out);
}

/** Reads the files of a folder that a stranger has filled: no link is followed, and no FIFO is waited for. */
function readAll(folder: FileDescriptor): Map<string, Buffer> {
	const files = new Map<string, Buffer>();
	for (const name of readdirSync(`/proc/self/fd/${folder.fd}`)) {
		const place = new Location(folder, name, { symlinks: false });
		if (statx(place).type !== "file") continue;
		using file = openat2(place, { flags: ["nonblock"], resolve: ["beneath", "noSymlinks"] });
		files.set(name, readFileSync(file.fd));
	}
	return files;
}
