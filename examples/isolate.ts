// Runs a program with nothing of this machine but its system files: `node examples/dist/isolate.js [COMMAND ARGS…]`.
import { fileURLToPath } from "node:url";
import { dropCapabilities } from "@nearfar/caps";
import { type ChildProcess, chdir, mkdir, openat2, symlink, Task } from "@nearfar/core";
import { setgroups, setresgid, setresuid, setsid } from "@nearfar/credentials";
import { mount, mountSetattr, moveMount, openTree, pivotRoot, umount } from "@nearfar/mount";
import { sethostname } from "@nearfar/namespaces";
import { setNoNewPrivs } from "@nearfar/process";
import { foldersFor, links, type Shown, show, shown, spareId } from "./host.ts";

const user = 1000;

/** Starts a command in a sandbox that ends with the command. `bind` adds files: path inside, path of the host. */
export async function isolate(command: readonly string[], bind: Record<string, string> = {}): Promise<ChildProcess> {
	// User 0 of the host owns /proc/sys in the sandbox too. For root, the command therefore runs as an id that owns nothing.
	const ids = process.geteuid?.() === 0 && [{ inside: user, outside: spareId(), count: 1 }];
	const sources = [...shown, ...Object.entries(bind).map(([path, source]) => show(path, source))];
	// The command is a child of pid 1, because the kernel drops most signals to a pid 1, even its own.
	const init = await Task.clone({
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		idMap: ids ? { uids: ids, gids: ids } : "identity",
	});
	try {
		const [limit, task] = await Promise.all([init.batch(() => setUp(sources, Boolean(ids))), init.clone()]);
		init.run(() => {
			limit.write("0"); // in a new user namespace the command would have capabilities again
			limit.close();
		});
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
function setUp(sources: readonly Shown[], asRoot: boolean) {
	const trees = sources.map((shown) => ({ ...shown, tree: openTree(shown.source, { flags: ["clone", "recursive"] }) }));
	if (asRoot) {
		setgroups([]);
		setresgid(user, user, user);
		setresuid(user, user, user);
	}
	mount("tmpfs", "/tmp", "tmpfs", { flags: ["nosuid", "nodev"], data: "mode=755,size=1m" });
	chdir("/tmp");
	for (const path of foldersFor(sources, "/dev/shm", "/proc", "/tmp")) mkdir(`.${path}`, { mode: 0o755 });
	for (const [path, target] of links) symlink(target, `.${path}`);
	for (const { path, tree, isDirectory, isDevice } of trees) {
		using place = openat2(`.${path}`, { flags: isDirectory ? ["path", "nofollow"] : ["creat", "excl"] });
		mountSetattr(tree, {
			set: ["rdonly", "nosuid", isDevice ? "noexec" : "nodev"],
			propagation: "private",
			recursive: true,
		});
		moveMount(tree, place);
		tree.close();
	}
	for (const [name, fd] of Object.entries({ fd: "", stdin: "/0", stdout: "/1", stderr: "/2" }))
		symlink(`/proc/self/fd${fd}`, `./dev/${name}`);
	for (const path of ["./tmp", "./dev/shm"]) mount("tmpfs", path, "tmpfs", { flags: ["nosuid", "nodev"] });
	mount("proc", "./proc", "proc", { flags: ["nosuid", "nodev", "noexec"] });
	pivotRoot(".", ".");
	umount(".", { flags: ["detach"] }); // removes the old root, which lies on top of the new one
	mountSetattr("/", { set: ["rdonly"] });
	chdir("/tmp");
	sethostname("nearfar");
	setNoNewPrivs();
	return openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	import("./demo.ts").then(({ main }) => main(process.argv.slice(2)));
