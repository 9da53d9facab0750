// A Worker that starts a program, or holds a task or a program with pipes until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { Task } from "@nearfar/core";
import { run, spawn } from "@nearfar/process";

if (workerData === "hold") {
	const task = await Task.clone();
	parentPort.postMessage(task.pid);
	setInterval(() => task.state, 1000);
} else if (workerData === "pipes") {
	const child = await spawn("cat", [], { killTree: true });
	child.stdout.resume();
	child.stderr.resume();
	child.stdin.write("x");
	parentPort.postMessage(child.pid);
	setInterval(() => child.pid, 1000);
} else {
	const { code, stdout } = await run("sh", ["-c", "echo from the worker; exit 3"]);
	parentPort.postMessage({ code, output: stdout });
}
