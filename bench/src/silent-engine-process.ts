import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

// An engine that begins each stream with one event and then says nothing; a line on stdin, and it ends them all. `silent-engine-process.ts`

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const FIRST = 'data: {"model":"bench-model","choices":[{"index":0,"delta":{"content":"one"},"finish_reason":null}]}\n\n'
const LAST =
  'data: {"model":"bench-model","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}\n\ndata: [DONE]\n\n'

const streams = new Set<Socket>()
const server = createServer((socket) => {
  let head = ''
  socket.on('error', () => {})
  socket.on('close', () => streams.delete(socket))
  socket.on('data', (bytes: Buffer) => {
    head += bytes.toString('latin1')
    const length = /^content-length: (\d+)\r$/im.exec(head)?.[1]
    const end = head.indexOf('\r\n\r\n')
    if (end === -1 || length === undefined || head.length < end + 4 + Number(length)) return
    head = ''
    streams.add(socket)
    socket.write(HEAD + chunk(FIRST))
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }))
})
process.stdin.once('data', () => {
  for (const socket of streams) socket.write(`${chunk(LAST)}0\r\n\r\n`)
})
process.once('SIGTERM', () => process.exit(0))
