import { openat2, Process, pipe, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

type Fault = (round: number) => Promise<unknown>;

/** Every way in which a task fails or ends, as operations for the soak. */
export const faults: Readonly<Record<string, Fault>> = {
	async "killed before a call"() {
		const task = await Task.clone();
		task.process.kill("SIGKILL");
		await task.process.exited;
		expectFailure("ERR_NEARFAR_TASK_GONE", () => task.run(() => new Process(1).kill(0)));
	},
	async "killed while a call is on its way"() {
		const task = await Task.clone();
		task.process.kill("SIGKILL");
		expectFailure("ERR_NEARFAR_TASK_GONE", () => {
			for (;;) task.run(() => new Process(task.pid).kill(0));
		});
	},
	async "killed in a call"() {
		const task = await Task.clone();
		expectFailure("ERR_NEARFAR_TASK_GONE", () => task.run(() => new Process(task.pid).kill("SIGKILL")));
		await task.process.exited;
	},
	async "killed after a call"() {
		const task = await Task.clone();
		task.run(() => new Process(task.pid).kill(0));
		task.process.kill("SIGKILL");
		await task.process.exited;
	},
	async "killed in a batch that does not end"() {
		const task = await Task.clone();
		const batch = task.batch(() => {
			pipe();
			new Process(task.pid).kill("SIGSTOP");
			pipe();
		});
		const failure = expectRejection("ERR_NEARFAR_TASK_GONE", batch);
		task.process.kill("SIGKILL");
		await failure;
	},
	async "a batch that fails"() {
		await using task = await Task.clone();
		const batch = task.batch(() => {
			pipe();
			openat2("/nowhere");
			pipe();
		});
		await expectRejection("ENOENT", batch);
		task.run(() => new Process(task.pid).kill(0));
	},
	async "executing what is not there"() {
		await using task = await Task.clone();
		for (const path of ["/nowhere", "nowhere"]) expectFailure("ENOENT", () => task.exec(path));
		for (const path of ["/", "/etc/passwd"]) expectFailure("EACCES", () => task.exec(path));
	},
	async "killed while it executes"() {
		const task = await Task.clone();
		const child = task.exec("sleep", ["sleep", "100"]);
		child.kill("SIGKILL");
		await child.exited;
	},
	async "a clone given up"(round) {
		const controller = new AbortController();
		const task = Task.clone({ signal: controller.signal });
		if (round % 2 === 0) controller.abort();
		else setImmediate(() => controller.abort());
		await task.then(
			(task) => task[Symbol.asyncDispose](),
			() => {},
		);
	},
	async "a clone refused"() {
		const refused = Task.clone({ setTid: [process.pid] });
		await expectRejection(/EEXIST|EPERM/, refused);
	},
	async disposed() {
		await using task = await Task.clone({ namespaces: ["user", "pid"] });
		task.run(() => new Process(1).kill(0));
	},
	async "descriptors to and fro"() {
		await using task = await Task.clone();
		const [read, write] = pipe();
		const there = task.put(write);
		write.close();
		task.run(() => there.write("x"));
		task.get(there).close();
		read.read(1);
		read.close();
	},
	async "a task of a task"() {
		const task = await Task.clone();
		const inner = await task.clone();
		inner.run(() => new Process(inner.pid).kill(0));
		await task.exit(1);
		await inner[Symbol.asyncDispose]();
	},
	async forgotten() {
		await Task.clone();
	},
	async "the zygote killed"(round) {
		if (round % 100 === 0) process.kill(native().zygotePid(), "SIGKILL");
		await (await Task.clone()).exit();
	},
};

function expectFailure(code: string, fn: () => unknown): void {
	try {
		fn();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === code) return;
		throw error;
	}
	throw new Error(`nothing failed with ${code}`);
}

async function expectRejection(code: string | RegExp, promise: Promise<unknown>): Promise<void> {
	const failure = await promise.then(
		() => "nothing",
		(error) => String(error.code),
	);
	if (!failure.match(code)) throw new Error(`failed with ${failure}, not with ${code}`);
}
