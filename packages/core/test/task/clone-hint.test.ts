import { expect } from "vitest";
import { runFixtureIn } from "../../../../test/fixture-in-task.ts";
import { needs } from "../../../../test/needs.ts";
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
