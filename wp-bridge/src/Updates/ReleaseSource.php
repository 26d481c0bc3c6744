<?php
/**
 * The source of releases.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Asks the connected service for releases. The service is not trusted: each release needs a signature of a key in this plugin, and is newer
 * than the installed version.
 */
class ReleaseSource {

	private const TIMEOUT_SECONDS = 10;

	/** Seconds for a piece of the zip. */
	private const PIECE_SECONDS = 30;

	public function __construct( private readonly ServiceClient $service_client, private readonly ReleaseKeys $keys ) {}

	/**
	 * Returns the release that the service offers, or null where it offers none.
	 *
	 * @param string $installed The installed version.
	 * @throws UpdateError  The release must not be installed.
	 * @throws ServiceError
	 */
	public function newest( string $installed ): ?Release {
		try {
			$answer = $this->service_client->call( 'BridgeService', 'GetBridgeUpdate', array( 'bridgeVersion' => $installed ), self::TIMEOUT_SECONDS );
		} catch ( ServiceError $error ) {
			if ( 'unimplemented' === $error->connect_code ) {
				return null; // An earlier service offers no updates.
			}
			throw $error;
		}
		$version = (string) ( $answer['version'] ?? '' );
		if ( '' === $version ) {
			return null;
		}
		$manifest = self::bytes( $answer['manifest'] ?? '' );
		// invariant: only-signed-releases-are-installed
		if ( ! $this->keys->have_signed( $manifest, array_map( self::bytes( ... ), array_values( (array) ( $answer['signatures'] ?? array() ) ) ) ) ) {
			/* translators: %s: version number */
			throw new UpdateError( sprintf( __( 'Version %s was refused: none of the keys in this plugin has signed it. Tell your tillsync operator, and do not install it by hand before they answer.', 'tillsync-bridge' ), $version ) );
		}
		$release = Release::of_manifest( $manifest );
		// invariant: no-release-replaces-a-newer-one
		if ( $release->version !== $version || ! version_compare( $release->version, $installed, '>' ) ) {
			/* translators: 1: version number, 2: version number */
			throw new UpdateError( sprintf( __( 'Version %1$s was refused: it is not newer than the installed %2$s. Tell your tillsync operator.', 'tillsync-bridge' ), $release->version, $installed ) );
		}
		return $release;
	}

	/**
	 * Downloads the zip of a release into a temporary file, and returns its path.
	 *
	 * @throws UpdateError  The zip is not the one that the manifest names. The file is deleted.
	 * @throws ServiceError
	 */
	public function download( Release $release ): string {
		$path = wp_tempnam( Release::PLUGIN . '.zip' );
		$file = fopen( $path, 'wb' );
		if ( false === $file ) {
			throw new UpdateError( __( 'The update cannot be stored: let the web server write into its folder for temporary files.', 'tillsync-bridge' ) );
		}
		$is_whole = false;
		try {
			$is_whole = $this->write( $release, $file );
		} finally {
			fclose( $file );
			// invariant: the-zip-is-the-signed-one
			if ( ! $is_whole || ! hash_equals( $release->sha256, (string) hash_file( 'sha256', $path ) ) ) {
				wp_delete_file( $path );
			}
		}
		if ( ! is_file( $path ) ) {
			/* translators: %s: version number */
			throw new UpdateError( sprintf( __( 'Version %s was refused: the downloaded zip is not the signed one. Try again; if it stays so, tell your tillsync operator.', 'tillsync-bridge' ), $release->version ) );
		}
		return $path;
	}

	/**
	 * Tells whether the pieces have the size of the release together.
	 *
	 * @param resource $file Open for writing.
	 * @throws ServiceError
	 */
	private function write( Release $release, $file ): bool {
		$written = 0;
		while ( $written < $release->size ) {
			$answer = $this->service_client->call( 'BridgeService', 'ReadBridgePackage', array( 'version' => $release->version, 'offset' => (string) $written ), self::PIECE_SECONDS );
			$piece  = self::bytes( $answer['data'] ?? '' );
			if ( '' === $piece || $written + strlen( $piece ) > $release->size || strlen( $piece ) !== fwrite( $file, $piece ) ) {
				return false;
			}
			$written += strlen( $piece );
		}
		return true;
	}

	/**
	 * Returns the bytes of a field, or an empty text.
	 *
	 * @param mixed $field A bytes field of a message, in base64.
	 */
	private static function bytes( $field ): string {
		$bytes = is_string( $field ) ? base64_decode( $field, true ) : false; // phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions
		return is_string( $bytes ) ? $bytes : '';
	}
}
