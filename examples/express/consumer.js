// A consumer of synthook's events, with Express.
//
//   SECRET=… PORT=3000 node consumer.js
//
// Two endpoints show the two ways in which consumers verify x-stackone-signature, a third
// lets a library of Standard Webhooks do it, which also refuses what is not of now:
//   /raw       over the raw bytes of the body (do it like this)
//   /parsed    over JSON.stringify of the parsed body (older code does; it works too)
//   /standard  webhook-signature, by the package standardwebhooks
'use strict'

const crypto = require('node:crypto')
const express = require('express')
const bodyParser = require('body-parser')
const { Webhook } = require('standardwebhooks')

const secret = process.env.SECRET
if (!secret) {
  console.error('SECRET is not set: the webhook’s signing secret')
  process.exit(2)
}

function sign(payload) {
  return crypto.createHmac('sha256', secret).update(payload).digest('base64url')
}

function matches(payload, signature) {
  const expected = Buffer.from(sign(payload))
  const given = Buffer.from(String(signature))
  return expected.length === given.length && crypto.timingSafeEqual(expected, given)
}

// One line of JSON an event: what arrived, and whether its signature holds.
function report(style, verified, req, body) {
  console.log(JSON.stringify({
    style,
    verified,
    webhook_id: req.get('webhook-id'),
    query: req.query,
    event: body.event,
    account_id: body.account_id,
    record_id: body.record_id,
    keys: Object.keys(body),
  }))
}

const app = express()

app.post('/raw', express.raw({ type: 'application/json' }), (req, res) => {
  const verified = matches(req.body, req.get('x-stackone-signature'))
  report('raw', verified, req, JSON.parse(req.body.toString('utf8')))
  res.sendStatus(verified ? 204 : 401)
})

app.post('/parsed', bodyParser.json(), (req, res) => {
  const verified = sign(JSON.stringify(req.body)) === req.get('x-stackone-signature')
  report('parsed', verified, req, req.body)
  res.sendStatus(verified ? 204 : 401)
})

// The library wants the secret in base64: the whsec_ form that `synthook webhook create` shows.
const standard = new Webhook('whsec_' + Buffer.from(secret).toString('base64'))

app.post('/standard', express.raw({ type: 'application/json' }), (req, res) => {
  let verified = true
  try {
    standard.verify(req.body, req.headers)
  } catch {
    verified = false
  }
  report('standard', verified, req, JSON.parse(req.body.toString('utf8')))
  res.sendStatus(verified ? 204 : 401)
})

const server = app.listen(Number(process.env.PORT || 3000), '127.0.0.1', () => {
  console.log(JSON.stringify({ listening: server.address().port }))
})
