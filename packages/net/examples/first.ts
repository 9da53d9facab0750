import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get } from "node:http";
import { Task } from "@nearfar/core";
import { loopbackUp } from "@nearfar/namespaces";
import { connectInside, listenInside } from "@nearfar/net";

// A network of its own, which an ordinary user may make. No process outside can reach what listens in there.
await using task = await Task.clone({ namespaces: ["user", "net"] });
task.run(loopbackUp);

// A server of node:http listens inside, on a port that is free there, and runs here: Node accepts the connections itself.
const server = createServer((request, response) => response.end(`${request.url} from inside`));
const address = { address: "127.0.0.1", port: 80 };
await listenInside(task, address, server);

// A connection that was made inside is used outside.
const socket = await connectInside(task, address);
const [response] = await once(get({ path: "/page", createConnection: () => socket }), "response");
const text = (await response.toArray()).join("");
console.log(text); // /page from inside
assert.equal(text, "/page from inside");
socket.destroy();
server.close();
