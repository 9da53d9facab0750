import assert from "node:assert/strict";
import { Task } from "@nearfar/core";
import { getDeathSignal, getNoNewPrivs, kill, setNoNewPrivs } from "@nearfar/process";

await using task = await Task.clone();
const [noNewPrivs, deathSignal] = task.run(() => {
	setNoNewPrivs();
	return [getNoNewPrivs(), getDeathSignal()];
});
console.log(`task ${task.pid}: no_new_privs is ${noNewPrivs}, the parent-death signal ${deathSignal}`);

const sleep = task.exec("sleep", ["sleep", "60"]);
kill(sleep.pid, "SIGTERM");
const { signal } = await sleep.exited;
console.log(`${sleep} was killed by ${signal}`);
assert.equal(signal, "SIGTERM");
