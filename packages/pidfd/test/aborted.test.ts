import { type ChildProcess, spawn } from "node:child_process";
import { Task } from "@nearfar/core";
import { afterAll, beforeAll } from "vitest";
import { testAbort } from "../../../test/aborted.ts";
import { PidFd } from "../src/index.ts";

let task: Task;
let ofTask: PidFd;
let child: ChildProcess;
let ofChild: PidFd;

beforeAll(async () => {
	task = await Task.clone();
	ofTask = PidFd.open(task.process);
	child = spawn("sleep", ["1000"], { stdio: "ignore" });
	ofChild = PidFd.of(child);
});

afterAll(async () => {
	ofTask.close();
	ofChild.close();
	await task[Symbol.asyncDispose]();
	child.kill("SIGKILL");
	await new Promise((resolve) => child.once("exit", resolve));
});

testAbort("pidfd.wait for a task", (signal) => ofTask.wait({ signal }));
testAbort("pidfd.exited for a task", (signal) => ofTask.exited({ signal }));
testAbort("pidfd.wait for a child of Node", (signal) => ofChild.wait({ signal }));
testAbort("pidfd.wait for a stop", (signal) => ofChild.wait({ stopped: true, signal }));
testAbort("pidfd.exited for a child of Node", (signal) => ofChild.exited({ signal }));
