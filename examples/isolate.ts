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

/** Starts a command in a sandbox that ends with it; `bind` shows it more files: path inside, path of the host. */
export async function isolate(command: readonly string[], bind: Record<string, string> = {}): Promise<ChildProcess> {
	// Whoever is 0 outside owns /proc/sys inside, too: for root the command runs as an id that has nothing.
	const ids = process.geteuid?.() === 0 && [{ inside: user, outside: spareId(), count: 1 }];
	const sources = [...shown, ...Object.entries(bind).map(([path, source]) => show(path, source))];
	// The command is a child of pid 1: the kernel spares a pid 1 its signals, even those it sends itself.
	const init = await Task.clone({
		namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"],
		idMap: ids ? { uids: ids, gids: ids } : "identity",
	});
	try {
		const [limit, task] = await Promise.all([init.batch(() => setUp(sources, Boolean(ids))), init.clone()]);
		init.run(() => {
			limit.write("0"); // in a user namespace of its own the command would have capabilities again
			limit.close();
		});
		task.run(() => {
			setsid(); // it cannot type into our terminal; Ctrl-C reaches Node alone, which has to pass it on
			dropCapabilities(); // pid 1 keeps its own, so that the command cannot trace it
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

/** All of this is one message to the task. */
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
	umount(".", { flags: ["detach"] }); // the old root: it lies on the new one
	mountSetattr("/", { set: ["rdonly"] });
	chdir("/tmp");
	sethostname("nearfar");
	setNoNewPrivs();
	return openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	import("./demo.ts").then(({ main }) => main(process.argv.slice(2)));
