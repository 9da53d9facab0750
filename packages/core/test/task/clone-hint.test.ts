import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { runFixtureIn } from "../../../../test/fixture-in-task.ts";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { forbidNamespaces } from "../../../../test/seccomp.ts";
import { openat2, Task } from "../../src/index.ts";

needs("/proc", "sysctls that can be written").test(
	"snapshot #309 ENOSPC of a clone by Node itself names the limit of Node's own user namespace",
	async () => {
		const task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => {
			using file = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
			file.write("0");
		});
		const { report } = await runFixtureIn(task, "core/no-user-namespace");
		expect(report).toMatchObject({ code: "ENOSPC", hint: expect.stringContaining("user.max_user_namespaces is 0") });
	},
);

needs("/proc", "sysctls that can be written").test.each([undefined, "10000"])(
	"a clone by Node in the 33rd user namespace is refused, and the hint says nesting, with the limit %s",
	async (limit) => {
		const tasks: Task[] = [await Task.clone({ namespaces: ["user"], idMap: "root" })];
		try {
			for (;;) {
				const next = await tasks
					.at(-1)
					?.clone({ namespaces: ["user"], idMap: "root" })
					.catch(() => undefined);
				if (!next) break;
				tasks.push(next);
			}
			const deepest = tasks.pop() as Task;
			if (limit !== undefined) {
				deepest.run(() => {
					using file = openat2("/proc/sys/user/max_user_namespaces", { flags: ["wronly"] });
					file.write(limit);
				});
			}
			const { report } = await runFixtureIn(deepest, "core/no-user-namespace");
			expect(report).toMatchObject({ code: "ENOSPC", hint: expect.stringContaining("32 user namespaces") });
			expect(report.hint).not.toContain("has that many");
		} finally {
			for (const task of tasks.reverse()) await task[Symbol.asyncDispose]();
		}
	},
);

needs("a /proc of this pid namespace", "the program unshare", "user namespaces").test(
	"ENOENT of a clone without a /proc names the missing procfs",
	async () => {
		const wrapper = ["unshare", "-Urm", "sh", "-e", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh"];
		const { report } = await runFixture("core/no-user-namespace", { wrapper });
		expect(report).toMatchObject({ code: "ENOENT", hint: expect.stringContaining("Nothing is mounted on /proc") });
	},
);

needs("/proc").test("a filter that refuses root a namespace is no lack of CAP_SYS_ADMIN", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	forbidNamespaces(task);
	const error = await reason(() => task.clone({ namespaces: ["net"] }));
	expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("seccomp") });
	expect((error as Error).message).not.toContain("CAP_SYS_ADMIN");
});

needs("/proc", "the program unshare", "user namespaces").test.each(["task", "thread"])(
	"EPERM of a %s without CAP_SYS_ADMIN names the capability where there is no /proc",
	async (what) => {
		const script = 'mount -t tmpfs none /proc; exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"';
		const wrapper = ["unshare", "-Urm", "sh", "-e", "-c", script, "sh"];
		const { report } = await runFixture("core/no-user-namespace", { wrapper, args: [what] });
		expect(report).toMatchObject({ code: "EPERM", hint: expect.stringContaining("CAP_SYS_ADMIN") });
	},
);
