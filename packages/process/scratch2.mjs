import { spawn } from "@nearfar/process";
import { Task } from "@nearfar/core";
import cp from "node:child_process";
const N=300;
const kinds={
 ours: async()=>{const c=await spawn("/bin/true",[],{stdio:"ignore"});await c.exited;},
 inherit: async()=>{const c=await spawn("/bin/true",[],{stdio:"inherit"});await c.exited;},
 exec: async()=>{const t=await Task.clone();await t.exec("/bin/true").exited;},
 execbatch: async()=>{const t=await Task.clone();await t.batch(()=>{t.exec("/bin/true")}); await t.process.exited;},
 peer: ()=>new Promise(r=>cp.spawn("/bin/true",[],{stdio:"ignore"}).on("exit",r)),
};
const res={};
for(let round=0;round<5;round++)for(const [n,f] of Object.entries(kinds)){const c0=process.cpuUsage(),e0=performance.eventLoopUtilization(),s=performance.now();for(let i=0;i<N;i++)await f();const c=process.cpuUsage(c0);(res[n]??=[]).push([(performance.now()-s)/N,(c.user)/1000/N,c.system/1000/N,performance.eventLoopUtilization(e0).active/N]);}
for(const n in res){console.log(n.padEnd(10),...[0,1,2,3].map(k=>res[n].map(r=>r[k]).sort((a,b)=>a-b)[1].toFixed(3)));}
