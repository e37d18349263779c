// The same guard as network_guard.py, for Node: a connection to another host throws.
// Node loads it in every process whose NODE_OPTIONS requires it.
'use strict'

const dgram = require('node:dgram')
const dns = require('node:dns')
const net = require('node:net')

const LOCAL = /^(localhost|::1|0\.0\.0\.0|::|127(\.\d{1,3}){3}|::ffff:127(\.\d{1,3}){3})?$/

function rejectOtherHosts(host) {
  if (typeof host === 'string' && !LOCAL.test(host)) {
    throw new Error(`A test reached for another host: ${host}`)
  }
}

// net.connect passes its normalized arguments as one array: [[options, callback]].
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...passed) {
  const [first, second] = Array.isArray(passed[0]) ? passed[0] : passed
  rejectOtherHosts(first !== null && typeof first === 'object' ? first.host : second)
  return connect.apply(this, passed)
}

const lookup = dns.lookup
dns.lookup = function (host, ...rest) {
  rejectOtherHosts(host)
  return lookup.call(this, host, ...rest)
}

const send = dgram.Socket.prototype.send
dgram.Socket.prototype.send = function (...passed) {
  rejectOtherHosts(passed.find((value, index) => index > 1 && typeof value === 'string'))
  return send.apply(this, passed)
}
