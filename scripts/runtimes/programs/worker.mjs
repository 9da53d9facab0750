// A Worker that starts a program, or holds a task until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { Task } from "@nearfar/core";
import { run } from "@nearfar/process";

if (workerData === "hold") {
	const task = await Task.clone();
	parentPort.postMessage(task.pid);
	setInterval(() => task.state, 1000);
} else {
	const { code, stdout } = await run("sh", ["-c", "echo from the worker; exit 3"]);
	parentPort.postMessage({ code, output: stdout });
}
