import assert from "node:assert/strict";
import { capget, dropCapabilities } from "@nearfar/caps";
import { Task } from "@nearfar/core";

await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
console.log(`user 0 of a new user namespace: ${task.run(capget).effective}`);

task.run(() => dropCapabilities(["netBindService"]));
const { effective, permitted } = task.run(capget);
console.log(`afterwards: ${effective}`);
assert.deepEqual([...permitted], ["netBindService"]);
