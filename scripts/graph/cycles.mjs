// Finds cycles of a graph, which is a Map of names to sets of names.

/** Returns one cycle for each group of names that use each other, as short as possible: `["a", "b", "a"]`. */
export function findCycles(graph) {
	const reach = new Map([...graph.keys()].map((name) => [name, reachable(graph, name)]));
	const seen = new Set();
	const cycles = [];
	for (const name of graph.keys()) {
		if (seen.has(name) || !reach.get(name).has(name)) continue;
		const group = [...reach.get(name)].filter((other) => reach.get(other)?.has(name)).sort();
		for (const other of group) seen.add(other);
		const paths = group.map((other) => shortestCycle(graph, other));
		cycles.push(paths.sort((a, b) => a.length - b.length)[0]);
	}
	return cycles;
}

function reachable(graph, name) {
	const found = new Set();
	const todo = [name];
	for (let next = todo.pop(); next !== undefined; next = todo.pop())
		for (const other of graph.get(next) ?? []) {
			if (found.has(other)) continue;
			found.add(other);
			todo.push(other);
		}
	return found;
}

/** Searches breadth first from a name that is part of a cycle. */
function shortestCycle(graph, name) {
	const paths = [[name]];
	const seen = new Set();
	for (const path of paths)
		for (const next of graph.get(path.at(-1)) ?? []) {
			if (next === name) return [...path, next];
			if (seen.has(next)) continue;
			seen.add(next);
			paths.push([...path, next]);
		}
}
