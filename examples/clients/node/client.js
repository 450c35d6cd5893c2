// Syncline from Node: sends events and reads results with a Kafka client and MessagePack, by docs/contract.md.
//
//     npm ci
//     node client.js send lobby --image door.png --text "door opens" --audio bell.flac
//     node client.js read --count 1
//
// Both print one line of JSON for each record. Exit codes: 0 done; 1 the broker, its topics or a file do not allow it;
// 2 wrong arguments; 3 a result of a newer version of the contract; 4 fewer records came than `--count` asks for.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { parseArgs } from 'node:util'

import { decode } from '@msgpack/msgpack'
import { Admin, Consumer, Producer, compatibilityPartitioner, stringDeserializers, stringSerializers } from '@platformatic/kafka'

const CONTRACT_VERSION = 1
// Between them they have exactly one outcome of every event.
const RESULT_TOPICS = ['results.fused', 'unfused', 'deadletter']
const CONTENT_TYPES = {
  image: { '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp' },
  audio: { '.wav': 'audio/wav', '.flac': 'audio/flac', '.ogg': 'audio/ogg' }
}
// By an array's `dtype`: bytes an element, and how a DataView reads one.
const ARRAY_ITEMS = {
  '|u1': [1, (view, at) => view.getUint8(at)],
  '|i1': [1, (view, at) => view.getInt8(at)],
  '<i2': [2, (view, at) => view.getInt16(at, true)],
  '<i4': [4, (view, at) => view.getInt32(at, true)],
  '<i8': [8, (view, at) => Number(view.getBigInt64(at, true))],
  '<f2': [2, (view, at) => float16(view.getUint16(at, true))],
  '<f4': [4, (view, at) => view.getFloat32(at, true)],
  '<f8': [8, (view, at) => view.getFloat64(at, true)]
}
const MAX_DIMENSIONS = 8
const MAX_ARRAY_BYTES = 64 * 2 ** 20
const MAX_SEEN_IDS = 100_000
const HELP = `usage: node client.js send STREAM [--image FILE] [--text TEXT] [--audio FILE] [--language TAG] [--source URI] [--time-ms N]
       node client.js read [--count N] [--idle-s N] [--group NAME]
both:  [--brokers HOST:PORT,...] [--prefix syncline.] [--tls] [--ca FILE] [--user NAME, its password in KAFKA_PASSWORD]`

class ClientError extends Error {
  constructor (message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

// Send each payload that was given as one event; all are of the same moment.
async function send (stream, options) {
  const payloads = await readPayloads(options)
  if (!stream || payloads.length === 0) {
    throw new ClientError(`send takes a stream, and --image, --text or --audio\n${HELP}`, 2)
  }
  await requireTopics(options, payloads.map(({ modality }) => `media.${modality}`))
  const timeMs = options['time-ms'] === undefined ? Date.now() : number(options, 'time-ms')
  const { key, headerKey, headerValue } = stringSerializers
  const producer = new Producer({
    ...connection(options),
    serializers: { key, headerKey, headerValue }, // the value is bytes already
    // The contract's placement, which is that of Java's client. This library's own default is another.
    partitioner: compatibilityPartitioner,
    acks: -1,
    autocreateTopics: false
  })
  try {
    for (const { modality, value, contentType } of payloads) {
      const id = randomUUID()
      const headers = eventHeaders({ modality, id, stream, timeMs, contentType }, options)
      const topic = `media.${modality}`
      const sent = await producer.send({ messages: [{ topic: options.prefix + topic, key: stream, value, headers }] })
      const { partition, offset } = sent.offsets[0]
      printLine({ event_id: id, source: options.source, time_ms: timeMs, topic, partition, offset: Number(offset) })
    }
  } finally {
    await producer.close()
  }
}

// All that is said of an event: its value is the file itself.
function eventHeaders ({ modality, id, stream, timeMs, contentType }, options) {
  const headers = {
    ce_specversion: '1.0',
    ce_type: `syncline.media.${modality}.v${CONTRACT_VERSION}`,
    ce_source: options.source,
    ce_id: id, // unique within the source: send a retry under the same one, and it counts once
    ce_subject: stream, // the same as the key
    ce_time: new Date(timeMs).toISOString(),
    'content-type': contentType
  }
  if (modality === 'text' && options.language) headers.ce_language = options.language
  return headers
}

async function readPayloads (options) {
  const payloads = []
  for (const [modality, types] of Object.entries(CONTENT_TYPES)) {
    const path = options[modality]
    if (path === undefined) continue
    const contentType = types[extname(path).toLowerCase()]
    if (!contentType) throw new ClientError(`--${modality} ${path}: takes ${Object.keys(types).join(', ')}`, 2)
    payloads.push({ modality, value: await fileOf(modality, path), contentType })
  }
  if (options.text !== undefined) {
    payloads.push({ modality: 'text', value: Buffer.from(options.text), contentType: 'text/plain; charset=utf-8' })
  }
  return payloads
}

async function fileOf (option, path) {
  try {
    return await readFile(path)
  } catch (error) {
    throw new ClientError(`--${option} ${path}: ${error.message}`)
  }
}

// Print results as they come, each once, until there are `--count` or none has come for `--idle-s`.
async function read (_, options) {
  const count = options.count === undefined ? Infinity : number(options, 'count')
  const idleMs = number(options, 'idle-s') * 1000
  await requireTopics(options, RESULT_TOPICS)
  const { key, headerKey, headerValue } = stringDeserializers
  const consumer = new Consumer({
    ...connection(options),
    // This library always reads in a group. One of a name that nobody has used begins at the start, and is not missed.
    groupId: options.group ?? `node-client-${randomUUID()}`,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    heartbeatInterval: 1_000,
    deserializers: { key, headerKey, headerValue },
    autocommit: false,
    maxWaitTime: 500,
    highWaterMark: 64 // records that are read ahead, of up to 1 MB each
  })
  const seen = new Set()
  let nPrinted = 0
  let idle
  try {
    const topics = RESULT_TOPICS.map(topic => options.prefix + topic)
    const stream = await consumer.consume({ topics, mode: 'committed', fallbackMode: 'earliest' })
    idle = setTimeout(() => stream.close().catch(error => stream.destroy(error)), idleMs)
    for await (const record of stream) {
      const line = readRecord(record.topic.slice(options.prefix.length), record)
      if (line !== null && !isRepeat(seen, line)) {
        printLine(line)
        nPrinted += 1
      }
      // After the work, never before: a crash repeats some results, it loses none.
      if (options.group) await record.commit()
      if (nPrinted >= count) break
      idle.refresh()
    }
  } finally {
    clearTimeout(idle)
    await consumer.close(true)
  }
  if (count !== Infinity && nPrinted < count) {
    throw new ClientError(`${nPrinted} of ${count} came, and none for ${options['idle-s']} s`, 4)
  }
}

// What a result says, ready to be printed; null, and a warning, where it cannot be read.
function readRecord (topic, record) {
  checkVersion(record.headers)
  if (topic === 'deadletter') return readDeadLetter(record)
  try {
    // Unknown fields may come at any time: take what you know, and let the others be.
    const result = decode(record.value)
    return topic === 'results.fused' ? readFused(result) : { kind: 'unfused', ...result }
  } catch (error) {
    console.error(`${topic}/${record.partition}/${record.offset} cannot be read: ${error.message}`)
    return null
  }
}

// A result of a newer version must not be passed over: end here, and read on with a newer client.
function checkVersion (headers) {
  const type = headers.get('ce_type') ?? ''
  const found = /^syncline\..+\.v([1-9][0-9]{0,3})$/.exec(type)
  if (found && Number(found[1]) > CONTRACT_VERSION) {
    throw new ClientError(`a result is of type ${type}: this client knows version ${CONTRACT_VERSION}`, 3)
  }
}

// What all sources of a stream say about one moment.
function readFused (result) {
  return {
    kind: 'fused',
    id: result.id,
    stream: result.stream,
    start_ms: result.start_ms,
    end_ms: result.end_ms,
    outcome: result.outcome,
    reason: result.reason,
    missing: result.missing,
    members: result.members,
    labels: result.labels ?? [],
    embedding: result.embedding ? arrayValues(result.embedding) : null,
    model: result.model ?? null,
    cut: result.cut ?? []
  }
}

// Why a record could not be used. Its value and key are the original's, and may be anything at all.
// Mend the cause, and send the originals again: `syncline deadletter retry`.
function readDeadLetter ({ headers, value }) {
  return {
    kind: 'deadletter',
    id: headers.get('ce_id') ?? '',
    reason: headers.get('ce_reason') ?? '',
    detail: headers.get('ce_detail') ?? '',
    source: headers.get('orig.ce_source') ?? '',
    event_id: headers.get('orig.ce_id') ?? '',
    n_bytes: value?.length ?? 0
  }
}

// An array's elements, row by row.
function arrayValues ({ dtype, shape, data }) {
  const [itemBytes, get] = ARRAY_ITEMS[dtype] ?? []
  if (!get || shape.length > MAX_DIMENSIONS || shape.some(size => size < 0)) {
    throw new Error(`an array of ${dtype} and shape ${shape}`)
  }
  const nValues = shape.reduce((product, size) => product * size, 1)
  if (nValues * itemBytes !== data.length || data.length > MAX_ARRAY_BYTES) {
    throw new Error(`an array of shape ${shape} of ${dtype} has ${data.length} bytes`)
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return Array.from({ length: nValues }, (_, index) => get(view, index * itemBytes))
}

function float16 (bits) {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

// Whether this result came before: the service writes one again after a crash, under the same id.
function isRepeat (seen, { kind, id }) {
  const key = `${kind} ${id}`
  if (seen.has(key)) return true
  seen.add(key) // a Set keeps its order: the oldest goes first
  if (seen.size > MAX_SEEN_IDS) seen.delete(seen.values().next().value)
  return false
}

function printLine (line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

// Throws where topics are missing. Clients do not make them, and some brokers would, with settings of their own.
async function requireTopics (options, topics) {
  const admin = new Admin(connection(options))
  try {
    const there = new Set(await admin.listTopics())
    const missing = topics.map(topic => options.prefix + topic).filter(name => !there.has(name))
    if (missing.length > 0) {
      throw new ClientError(`no topic ${missing.join(', ')}: is --prefix right? \`syncline topics create\` makes them`)
    }
  } finally {
    await admin.close()
  }
}

// How this library's clients get to the broker, and in.
function connection (options) {
  const settings = { clientId: 'node-client', bootstrapBrokers: options.brokers.split(','), requestTimeout: 15_000 }
  if (options.tls) settings.tls = options.authorities ? { ca: options.authorities } : {}
  if (options.user) {
    // Not an argument: `ps` would show it to everybody.
    const password = process.env.KAFKA_PASSWORD ?? ''
    settings.sasl = { mechanism: 'SCRAM-SHA-512', username: options.user, password }
  }
  return settings
}

function number (options, name) {
  const value = Number(options[name])
  if (Number.isFinite(value) && value >= 0) return value
  throw new ClientError(`--${name} ${options[name]}: takes a number from 0`, 2)
}

async function readArguments () {
  const text = { type: 'string' }
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        brokers: { type: 'string', default: 'localhost:9092' },
        prefix: { type: 'string', default: 'syncline.' },
        tls: { type: 'boolean', default: false },
        ca: text,
        user: text,
        image: text,
        text,
        audio: text,
        language: text,
        source: { type: 'string', default: 'urn:example:node' },
        'time-ms': text,
        count: text,
        'idle-s': { type: 'string', default: '30' },
        group: text
      }
    })
    return { command: positionals[0], stream: positionals[1], options: values }
  } catch (error) {
    throw new ClientError(`${error.message}\n${HELP}`, 2)
  }
}

async function main () {
  const { command, stream, options } = await readArguments()
  const run = { send, read }[command]
  if (!run) throw new ClientError(HELP, 2)
  if (options.ca) options.authorities = await fileOf('ca', options.ca)
  try {
    await run(stream, options)
  } catch (error) {
    if (error instanceof ClientError) throw error
    throw new ClientError(`${options.brokers}: ${[...new Set(reasonsOf(error))].join(' ')}`)
  }
}

// What an error says, and those that it is made of.
function reasonsOf (error) {
  return [error.message, ...(error.errors ?? []), ...(error.cause ? [error.cause] : [])].flatMap(
    one => typeof one === 'string' ? one : reasonsOf(one)
  )
}

try {
  await main()
} catch (error) {
  if (!(error instanceof ClientError)) throw error
  console.error(`client: ${error.message}`)
  process.exitCode = error.exitCode
}
