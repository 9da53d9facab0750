// Checks that a task is refused with the sentence that says why, and with the code of the call that the kernel lacks. It runs on
// Linux 5.10.
import { Task } from "@nearfar/core";

try {
	await Task.clone();
	console.log("failed: a task was cloned");
} catch (error) {
	const expected = error.code === "EINVAL" && error.message.includes("tasks need Linux 5.11 or later");
	console.log(`${expected ? "passed" : "failed"}: ${error.message}`);
}
