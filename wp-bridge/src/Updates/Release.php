<?php
/**
 * A release of the plugin.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

/** The facts of a signed manifest. */
final class Release {

	public const PLUGIN = 'tillsync-bridge';

	private const FORMAT = 1;

	/** Bytes. The service hands out no larger zip. */
	private const LARGEST = 16 * 1024 * 1024;

	private function __construct(
		public readonly string $version,
		/** Bytes of the zip. */
		public readonly int $size,
		/** SHA-256 of the zip, 64 hexadecimal digits. */
		public readonly string $sha256,
		/** Lowest WordPress. */
		public readonly string $requires,
		/** Lowest PHP. */
		public readonly string $requires_php,
		/** Highest tested WordPress. */
		public readonly string $tested,
		public readonly string $changelog
	) {}

	/**
	 * Reads a manifest whose signature has been checked.
	 *
	 * @throws UpdateError The manifest is not of this plugin, or of a later form.
	 */
	public static function of_manifest( string $json ): self {
		$read = json_decode( $json, true, 8 );
		if ( ! is_array( $read ) || self::FORMAT !== ( $read['format'] ?? null ) || self::PLUGIN !== ( $read['plugin'] ?? null ) ) {
			throw new UpdateError( __( 'The update has a signed manifest that this version cannot read: ask your tillsync operator for a zip, and upload it under Plugins → Add New.', 'tillsync-bridge' ) );
		}
		$texts = array();
		foreach ( array( 'version', 'sha256', 'requires', 'requires_php', 'tested', 'changelog' ) as $name ) {
			$texts[ $name ] = is_string( $read[ $name ] ?? null ) ? $read[ $name ] : '';
		}
		$size = is_int( $read['size'] ?? null ) ? $read['size'] : 0;
		if ( ! preg_match( '/^\d{1,6}\.\d{1,6}\.\d{1,6}$/D', $texts['version'] ) || ! preg_match( '/^[0-9a-f]{64}$/D', $texts['sha256'] ) || $size < 1 || $size > self::LARGEST ) {
			throw new UpdateError( __( 'The update has an incomplete manifest: ask your tillsync operator to sign the release again.', 'tillsync-bridge' ) );
		}
		return new self( $texts['version'], $size, $texts['sha256'], $texts['requires'], $texts['requires_php'], $texts['tested'], $texts['changelog'] );
	}
}
