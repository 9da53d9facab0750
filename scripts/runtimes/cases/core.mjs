// Tasks, child processes, descriptors and eventfds.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chdir, EventFd, FileDescriptor, mkdir, openat2, pipe, statx, symlink, Task, umask } from "@nearfar/core";
import { getpid } from "@nearfar/credentials";
import { equal, rejects, same, throws, truthy, withTask } from "../tools.mjs";

export const core = {
	"a task is a process, and dispose ends it": async () => {
		const task = await Task.clone();
		truthy(task.pid !== process.pid && existsSync(`/proc/${task.pid}`));
		equal(task.state, "live");
		await task[Symbol.asyncDispose]();
		equal(task.state, "exited");
		truthy(!existsSync(`/proc/${task.pid}`));
	},
	"run makes a call in the task": () =>
		withTask({}, (task) => {
			equal(task.run(getpid), task.pid);
			equal(getpid(), process.pid);
		}),
	"a task executes a program": () =>
		withTask({}, async (task) => {
			same(await task.exec("sh", ["sh", "-c", "exit 3"]).exited, { code: 3, signal: null, dumped: false });
		}),
	"a program gets the environment that exec names": () =>
		withTask({}, (task) =>
			task.exec("sh", ["sh", "-c", 'test "$A" = b'], { env: { A: "b", PATH: "/usr/bin:/bin" } }).check(),
		),
	"check rejects with the exit code": () =>
		withTask({}, (task) => rejects(task.exec("false").check(), "ERR_NEARFAR_EXIT")),
	"a refused exec throws, and the task goes on": () =>
		withTask({}, async (task) => {
			equal(throws(() => task.exec("/no/such/program"), "ENOENT").syscall, "execve");
			await task.exec("/bin/true").check();
		}),
	"a batch makes its calls in one message": () =>
		withTask({}, async (task) => {
			const child = await task.batch(() => {
				chdir("/usr");
				umask(0o27);
				return task.exec("sh", ["sh", "-c", 'test "$PWD $(umask)" = "/usr 0027"'], {
					env: { PATH: "/usr/bin:/bin" },
				});
			});
			await child.check();
		}),
	"a batch that fails says at which step": () =>
		withTask({}, async (task) => {
			const error = await rejects(
				task.batch(() => [umask(0o22), chdir("/no/such/folder")]),
				"ENOENT",
			);
			equal(error.step, 1);
		}),
	"a descriptor of a batch is used within it": () =>
		withTask({}, async (task) => {
			const [read, write] = await task.batch(() => pipe());
			task.run(() => {
				write.write("abc");
				equal(read.read(10).toString(), "abc");
			});
		}),
	"a pipe carries bytes, and its end": () => {
		const [read, write] = pipe();
		write.write("hello");
		write.close();
		equal(read.read(10).toString(), "hello");
		equal(read.read(10).length, 0);
		read.close();
		throws(() => read.read(1), "ERR_NEARFAR_CLOSED");
	},
	"a copy of a descriptor is the same open file": () => {
		const fd = openat2("/dev/null");
		const copy = fd.dup();
		truthy(copy.fd !== fd.fd && copy.file === fd.file);
		fd.close();
		copy.close();
		throws(() => FileDescriptor.from(2 ** 20), "EBADF");
	},
	"descriptors go to a task and come back": () =>
		withTask({}, (task) => {
			const near = pipe();
			const write = task.put(near[1]);
			task.run(() => write.write("from the task"));
			equal(near[0].read(100).toString(), "from the task");
			const file = task.get(task.run(() => openat2("/dev/zero")));
			equal(file.read(3).length, 3);
			for (const fd of [...near, file]) fd.close();
		}),
	"a descriptor of another table is refused": () =>
		withTask({}, (task) => {
			const fd = openat2("/dev/null");
			throws(() => task.run(() => fd.read(1)), "ERR_NEARFAR_FD_TABLE_MISMATCH");
			fd.close();
		}),
	"openat2 opens, and names the path that it cannot": () => {
		equal(throws(() => openat2("/no/such/file"), "ENOENT").path, "/no/such/file");
		const fd = openat2("/proc/self/comm");
		equal(fd.read(100).toString(), readFileSync("/proc/self/comm", "latin1"));
		fd.close();
	},
	"statx, mkdir and symlink": () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-smoke-"));
		mkdir(join(folder, "a"), { mode: 0o700 });
		symlink("a", join(folder, "link"));
		equal(statx(join(folder, "a")).type, "directory");
		equal(statx(join(folder, "link"), { flags: ["symlinkNofollow"] }).type, "symlink");
		rmSync(folder, { recursive: true });
	},
	"an eventfd wakes its reader": async () => {
		const counter = EventFd.create();
		const value = counter.readAsync();
		counter.write(3n);
		equal(await value, 3n);
		counter.close();
	},
	"an aborted read of an eventfd rejects": async () => {
		const counter = EventFd.create();
		const abort = new AbortController();
		const value = counter.readAsync({ signal: abort.signal });
		abort.abort();
		equal((await value.catch((error) => error)).name, "AbortError");
		counter.close();
	},
	"a task exits with a code, and is gone": () =>
		withTask({}, async (task) => {
			equal((await task.exit(7)).code, 7);
			throws(() => task.run(getpid), "ERR_NEARFAR_TASK_GONE");
		}),
	"a raw system call": () =>
		withTask({}, (task) => equal(task.syscall(process.arch === "arm64" ? 172 : 39), BigInt(task.pid))),
	"a task that shares its memory and files": () =>
		withTask({}, async (task) => {
			const other = await task.clone({ share: ["vm", "files"] });
			const fd = task.run(() => openat2("/dev/zero"));
			equal(other.run(() => fd.read(2)).length, 2);
			await other[Symbol.asyncDispose]();
		}),
	"a task of a task is waited for": () =>
		withTask({}, async (task) => {
			const child = await task.clone();
			equal((await child.exec("sh", ["sh", "-c", "exit 5"]).exited).code, 5);
		}),
	"this process refuses what only a task can": () => {
		throws(() => Task.near.exec("/bin/true"), "ERR_NEARFAR_NEAR");
		throws(() => mkdir(5), "ERR_INVALID_ARG_TYPE");
	},
	"a clone that is aborted leaves nothing": async () => {
		const signal = AbortSignal.abort();
		equal((await Task.clone({ signal }).catch((error) => error)).name, "AbortError");
	},
	"a stop, a continuation and the death of a child": () =>
		withTask({}, async (task) => {
			const child = task.exec("sleep", ["sleep", "60"]);
			child.kill("SIGSTOP");
			equal((await child.wait({ stopped: true })).state, "stopped");
			child.kill("SIGCONT");
			equal((await child.wait({ continued: true })).state, "continued");
			child.kill("SIGKILL");
			equal((await child.exited).signal, "SIGKILL");
			equal(child.poll()?.state, "killed");
			truthy(child.resourceUsage.maxRSS >= 0);
			throws(() => child.kill(), "ERR_NEARFAR_CHILD_DEAD");
		}),
	"twenty tasks at once": async () => {
		const tasks = await Promise.all(Array.from({ length: 20 }, () => Task.clone()));
		const codes = await Promise.all(
			tasks.map(async (task, i) => (await task.exec("sh", ["sh", "-c", `exit ${i}`]).exited).code),
		);
		same(codes, [...tasks.keys()]);
	},
};
