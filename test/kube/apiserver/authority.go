//go:build unix

package apiserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// accountIssuer is the issuer of the server's service account tokens.
const accountIssuer = "https://kubernetes.default.svc"

// Authority signs certificates for 127.0.0.1 and service account tokens.
type Authority struct {
	// Certificate is its own certificate, as PEM.
	Certificate []byte

	key        *ecdsa.PrivateKey
	parsed     *x509.Certificate
	account    *ecdsa.PrivateKey
	accountKey []byte
}

func newAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kubectl-etp tests"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	account, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	accountKey, err := keyPEM(account)
	if err != nil {
		return nil, err
	}
	return &Authority{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         key,
		parsed:      parsed,
		account:     account,
		accountKey:  accountKey,
	}, nil
}

// Issue makes a server certificate for 127.0.0.1 and localhost and its key, both as PEM.
func (a *Authority) Issue() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "127.0.0.1"},
		NotBefore:    a.parsed.NotBefore,
		NotAfter:     a.parsed.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyPEM(private); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// AccountToken makes the token that the API server itself would have issued for a service account, valid until expires; it need not be in the future.
// uid is the ServiceAccount's metadata.uid: the API server refuses a token for another one.
func (a *Authority) AccountToken(namespace, name, uid string, expires time.Time) (string, error) {
	claims := map[string]any{
		"aud": []string{accountIssuer},
		"iss": accountIssuer,
		"sub": "system:serviceaccount:" + namespace + ":" + name,
		"iat": expires.Add(-time.Hour).Unix(),
		"nbf": expires.Add(-time.Hour).Unix(),
		"exp": expires.Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"serviceaccount": map[string]string{"name": name, "uid": uid},
		},
	}
	var signed bytes.Buffer
	for i, part := range []any{map[string]string{"alg": "ES256", "typ": "JWT"}, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		if i > 0 {
			signed.WriteByte('.')
		}
		signed.WriteString(base64.RawURLEncoding.EncodeToString(raw))
	}
	digest := sha256.Sum256(signed.Bytes())
	r, s, err := ecdsa.Sign(rand.Reader, a.account, digest[:])
	if err != nil {
		return "", err
	}
	// RFC 7518 3.4: the two numbers side by side, each as long as the curve's order.
	size := (a.account.Params().BitSize + 7) / 8
	signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	return signed.String() + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
