// Imported by fixtures that look into `/proc/<pid>` of tasks: see inspectable.ts, which does the same for tests.
import { Task } from "@nearfar/core";
import { native, prctlOptions } from "@nearfar/core/internal";

const { clone } = Task;

Task.clone = async (options) => {
	const task = await clone.call(Task, options);
	// A fixture may change its user, so the user counts at each clone.
	if (process.geteuid() !== 0 && task.state === "live") {
		task.run(() => native().setPrctl(prctlOptions.setDumpable, [1]));
	}
	return task;
};
