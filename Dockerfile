FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /synthook ./cmd/synthook \
 && mkdir /data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /synthook /synthook
# The embedded database and its key file, where no database URL is set.
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
WORKDIR /data
ENV SYNTHOOK_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/synthook"]
CMD ["serve"]
