<?php
/**
 * Public keys of releases.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

/** The public keys of release-keys.php, which the build of the zip writes. Without a key the plugin installs no update. */
class ReleaseKeys {

	/** @return string[] Raw Ed25519 keys of 32 bytes, at most two. */
	public function all(): array {
		$file   = dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/release-keys.php';
		$listed = is_file( $file ) ? require $file : array();
		$keys   = array();
		foreach ( is_array( $listed ) ? $listed : array() as $key ) {
			$raw = is_string( $key ) ? base64_decode( $key, true ) : false; // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
			if ( is_string( $raw ) && 32 === strlen( $raw ) ) {
				$keys[] = $raw;
			}
		}
		return $keys;
	}

	/**
	 * Tells whether one of the keys has made one of the signatures.
	 *
	 * @param string[] $signatures Raw signatures.
	 * @throws UpdateError This PHP cannot check signatures.
	 */
	public function have_signed( string $message, array $signatures ): bool {
		// WordPress brings sodium_compat for a PHP without the extension.
		if ( ! function_exists( 'sodium_crypto_sign_verify_detached' ) ) {
			throw new UpdateError( __( 'This PHP cannot check signatures: ask your host to enable the extension "sodium".', 'tillsync-bridge' ) );
		}
		foreach ( $this->all() as $key ) {
			foreach ( $signatures as $signature ) {
				// Another length makes sodium throw.
				if ( 64 === strlen( $signature ) && sodium_crypto_sign_verify_detached( $signature, $message, $key ) ) {
					return true;
				}
			}
		}
		return false;
	}
}
