// A client of the training service in Go: uploads the reads, creates a run, follows it, fetches its artifacts.
//
//	client -service HOST:PORT -token-file token [-tls-ca ca.pem] -point point.json -train a -validation b -out folder
//
// point.json is a readlabel.v1.GridPoint in the JSON of protobuf. Nothing here is of readlabel but the API.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	pb "readlabel.example/client/readlabel/v1"
)

// The largest chunk that the API allows.
const chunkBytes = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func main() {
	service := flag.String("service", "127.0.0.1:50051", "HOST:PORT of the service")
	tokenFile := flag.String("token-file", "", "file that holds the token")
	tlsCA := flag.String("tls-ca", "", "certificate of the authority (PEM); empty: no TLS")
	point := flag.String("point", "", "the combination to train: a GridPoint in protobuf's JSON")
	train := flag.String("train", "", "labelled reads to train on (Parquet)")
	validation := flag.String("validation", "", "labelled reads to judge on (Parquet)")
	out := flag.String("out", "run", "folder for the artifacts")
	flag.Parse()
	if err := run(*service, *tokenFile, *tlsCA, *point, *train, *validation, *out); err != nil {
		log.Fatal(err)
	}
}

func run(service, tokenFile, tlsCA, pointFile, train, validation, out string) error {
	connection, err := connect(service, tlsCA)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, err := authorized(context.Background(), tokenFile)
	if err != nil {
		return err
	}
	training, blobs := pb.NewTrainingServiceClient(connection), pb.NewBlobServiceClient(connection)

	text, err := os.ReadFile(pointFile)
	if err != nil {
		return err
	}
	spec := &pb.RunSpec{Point: &pb.GridPoint{}}
	if err := protojson.Unmarshal(text, spec.Point); err != nil {
		return fmt.Errorf("%s: %w", pointFile, err)
	}
	if spec.TrainingReads, err = upload(ctx, blobs, train); err != nil {
		return fmt.Errorf("%s: %w", train, err)
	}
	if spec.ValidationReads, err = upload(ctx, blobs, validation); err != nil {
		return fmt.Errorf("%s: %w", validation, err)
	}

	deadline, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request := &pb.CreateTrainingRunRequest{TrainingRun: &pb.TrainingRun{Spec: spec}}
	created, err := training.CreateTrainingRun(deadline, request)
	if err != nil {
		return err
	}
	if err := follow(ctx, training, created.Name); err != nil {
		return err
	}
	ended, err := training.GetTrainingRun(ctx, &pb.GetTrainingRunRequest{Name: created.Name})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, artifact := range ended.Artifacts {
		if err := download(ctx, blobs, artifact.Blob, filepath.Join(out, filepath.Base(artifact.Name))); err != nil {
			return fmt.Errorf("%s: %w", artifact.Name, err)
		}
	}
	fmt.Println(ended.Name, ended.State)
	if ended.State != pb.RunState_RUN_STATE_SUCCEEDED {
		return fmt.Errorf("%s: %s", ended.GetFailure().GetReason(), ended.GetFailure().GetMessage())
	}
	return nil
}

func connect(service, tlsCA string) (*grpc.ClientConn, error) {
	secrecy := insecure.NewCredentials()
	if tlsCA != "" {
		var err error
		if secrecy, err = credentials.NewClientTLSFromFile(tlsCA, ""); err != nil {
			return nil, err
		}
	}
	return grpc.NewClient(service, grpc.WithTransportCredentials(secrecy))
}

func authorized(ctx context.Context, tokenFile string) (context.Context, error) {
	if tokenFile == "" {
		return ctx, nil
	}
	token, err := os.ReadFile(tokenFile)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token))), err
}

// follow prints a run's news until it has ended. A stream that breaks is taken up behind the last event heard.
func follow(ctx context.Context, training pb.TrainingServiceClient, name string) error {
	sequence := int64(0)
	for attempt := 0; ; attempt++ {
		stream, err := training.WatchTrainingRun(ctx, &pb.WatchTrainingRunRequest{Name: name, AfterSequence: sequence})
		for err == nil {
			var event *pb.RunEvent
			if event, err = stream.Recv(); err != nil {
				break
			}
			attempt, sequence = 0, event.Sequence
			if epoch := event.GetEpoch(); epoch != nil {
				fmt.Printf("epoch %d/%d loss %.4f accuracy %.4f\n", epoch.Epoch, epoch.Epochs, epoch.Loss, epoch.Accuracy)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if attempt == 10 {
			return err
		}
		time.Sleep(time.Second)
	}
}

// upload brings a file into the service's store unless it is there, from where an earlier upload stopped.
func upload(ctx context.Context, blobs pb.BlobServiceClient, path string) (*pb.BlobRef, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	if err != nil {
		return nil, err
	}
	blob := &pb.BlobRef{Sha256: hex.EncodeToString(digest.Sum(nil)), SizeBytes: size}
	status, err := blobs.GetWriteStatus(ctx, &pb.GetWriteStatusRequest{Blob: blob})
	if err != nil || status.Complete {
		return blob, err
	}
	offset, err := file.Seek(status.CommittedSize, io.SeekStart)
	if err != nil {
		return nil, err
	}
	stream, err := blobs.WriteBlob(ctx)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, chunkBytes)
	for first := true; first || offset < size; first = false {
		count, err := io.ReadFull(file, buffer)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		checksum := crc32.Checksum(buffer[:count], castagnoli)
		request := &pb.WriteBlobRequest{
			WriteOffset: offset,
			Chunk:       &pb.Chunk{Data: buffer[:count], Crc32C: &checksum},
			FinishWrite: offset+int64(count) == size,
		}
		if first {
			request.Blob = blob
		}
		if err := stream.Send(request); err != nil {
			break // the service has refused; CloseAndRecv says why
		}
		offset += int64(count)
	}
	_, err = stream.CloseAndRecv()
	return blob, err
}

// download writes a blob to a file, which appears when its digest was right.
func download(ctx context.Context, blobs pb.BlobServiceClient, blob *pb.BlobRef, path string) error {
	stream, err := blobs.ReadBlob(ctx, &pb.ReadBlobRequest{Blob: blob})
	if err != nil {
		return err
	}
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer file.Close()
	digest := sha256.New()
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := io.MultiWriter(file, digest).Write(part.GetChunk().GetData()); err != nil {
			return err
		}
	}
	if hex.EncodeToString(digest.Sum(nil)) != blob.Sha256 {
		return errors.New("the bytes that came have another digest")
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
