// Runs a program with nothing of this machine but its system files: `node examples/dist/isolate.js [COMMAND ARGS…]`.
import { fileURLToPath } from "node:url";
import { dropCapabilities } from "@nearfar/caps";
import { type ChildProcess, chdir, Location, mkdir, openat2, symlink, Task } from "@nearfar/core";
import { setgroups, setresgid, setresuid, setsid } from "@nearfar/credentials";
import { bind, enterRoot, mountSetattr, moveMount, proc, tmpfs } from "@nearfar/mount";
import { sethostname } from "@nearfar/namespaces";
import { setNoNewPrivs } from "@nearfar/process";
import { foldersFor, links, type Shown, show, shown, spareId } from "./host.ts";

const user = 1000;

/** Starts a command in a sandbox that ends with the command. `more` adds files: path inside, path of the host. */
export async function isolate(command: readonly string[], more: Record<string, string> = {}): Promise<ChildProcess> {
	// User 0 of the host owns /proc/sys in the sandbox too. For root, the command therefore runs as an id that owns nothing.
	const ids = process.geteuid?.() === 0 && [{ inside: user, outside: spareId(), count: 1 }];
	const sources = [...shown, ...Object.entries(more).map(([path, source]) => show(path, source))];
	// The command is a child of pid 1, because the kernel drops most signals to a pid 1, even its own.
	const init = await Task.clone({
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		idMap: ids ? { uids: ids, gids: ids } : "identity",
	});
	try {
		const [, task] = await Promise.all([init.batch(() => setUp(sources, Boolean(ids))), init.clone()]);
		task.run(() => {
			setsid(); // the command cannot type into our terminal; Ctrl-C reaches Node alone, which has to pass the signal on
			dropCapabilities(); // pid 1 keeps its capabilities, so that the command cannot trace pid 1
		});
		const env = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", HOME: "/tmp", TERM: process.env.TERM };
		const child = task.exec(command[0] ?? "", command, { env });
		child.exited.then(() => init[Symbol.asyncDispose]());
		return child;
	} catch (error) {
		await init[Symbol.asyncDispose]();
		throw error;
	}
}

/** Builds the root of the sandbox. All of these calls are one message to the task. */
function setUp(sources: readonly Shown[], asRoot: boolean): void {
	const mounts = sources.map(({ path, source, isDirectory, isDevice }) => {
		const set = ["rdonly", "nosuid", isDevice ? "noexec" : "nodev"] as const;
		return { path, isDirectory, mount: bind(source, null, { set, propagation: "private" }) };
	});
	if (asRoot) {
		setgroups([]);
		setresgid(user, user, user);
		setresuid(user, user, user);
	}
	for (const path of ["/tmp", "/dev/shm"]) mounts.push({ path, isDirectory: true, mount: tmpfs(null) });
	mounts.push({ path: "/proc", isDirectory: true, mount: proc(null) });
	using root = tmpfs(null, { mode: 0o755, size: "1m" });
	moveMount(root, "/usr"); // before Linux 6.15 nothing can be mounted in a detached tree
	for (const path of foldersFor(mounts)) mkdir(new Location(root, `.${path}`), { mode: 0o755 });
	for (const [path, target] of links) symlink(target, new Location(root, `.${path}`));
	for (const [name, fd] of Object.entries({ fd: "", stdin: "/0", stdout: "/1", stderr: "/2" }))
		symlink(`/proc/self/fd${fd}`, new Location(root, `./dev/${name}`));
	for (const { path, isDirectory, mount } of mounts) {
		// The lookup ends at the new root: a link in a directory that is shown cannot lead to the old one.
		using place = root.open(path, { flags: isDirectory ? ["path", "nofollow"] : ["creat", "excl"] });
		moveMount(mount, place);
		mount.close();
	}
	mountSetattr(root, { set: ["rdonly"] });
	enterRoot(root); // the old root is unmounted, with everything in it
	chdir("/tmp");
	sethostname("nearfar");
	setNoNewPrivs();
	using limit = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
	limit.write("0"); // in a new user namespace the command would have capabilities again
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	import("./demo.ts").then(({ main }) => main(process.argv.slice(2)));
